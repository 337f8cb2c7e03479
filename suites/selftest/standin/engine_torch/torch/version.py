import os

cuda = None if os.environ.get("STANDIN_TORCH") == "cpu" else "12.8"
