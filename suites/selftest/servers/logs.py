"""Logs of vLLM, with paths made neutral.

`START` and `PORT_TAKEN` were recorded of 0.29.0 (CPU build, wide model); the others are put
together from what each error prints.
"""

START = """\
INFO 11-25 03:00:42 [importing.py:98] Triton not installed or not compatible; certain GPU-related \
functions will not be available.
(APIServer pid=6321) INFO 11-25 03:01:41 [api_utils.py:347]  ▄▄ ▄█ █     █     █ ▀▄▀ █  version \
0.29.0
(APIServer pid=6321) INFO 11-25 03:01:56 [model.py:684] Resolved architecture: MiniCPMV
(EngineCore pid=6411) INFO 11-25 03:02:10 [core.py:123] Initializing a V1 LLM engine (v0.29.0) \
with config: model='/checkpoints/wide', load_format=dummy, enforce_eager=False
(Worker pid=6493) INFO 11-25 03:02:25 [cpu_model_runner.py:131] Starting to load model \
/checkpoints/wide...
(Worker pid=6493) INFO 11-25 03:02:25 [cpu_model_runner.py:150] Warming up model for the \
compilation...
(Worker pid=6493) INFO 11-25 03:02:25 [gpu_model_runner.py:6546] Encoder cache will be \
initialized with a budget of 16384 tokens, and profiled with 2 video items of the maximum feature \
size.
(Worker pid=6493) WARNING 11-25 03:02:30 [decorators.py:665] Detected eager backend, disabling \
AOT compile.
(Worker pid=6493) INFO 11-25 03:02:51 [cpu_model_runner.py:154] Warming up done.
(Worker pid=6493) INFO 11-25 03:02:51 [cpu_worker.py:255] Explicitly set (1.0/13.84) GiB for KV \
cache on node 0.
(EngineCore pid=6411) INFO 11-25 03:02:51 [kv_cache_utils.py:2032] GPU KV cache size: 524,288 \
tokens, Maximum concurrency for 2,048 tokens per request: 256.00x
(EngineCore pid=6411) INFO 11-25 03:02:52 [core.py:368] init engine (profile, create kv cache, \
warmup model) took 26.99 s
(APIServer pid=6321) INFO 11-25 03:02:56 [entry.py:139] Starting vLLM server on \
http://127.0.0.1:39319
(APIServer pid=6321) INFO:     Application startup complete.
""".splitlines()

PORT_TAKEN = """\
(APIServer pid=6076) INFO 11-25 03:00:49 [api_utils.py:286] non-default args: {'host': \
'127.0.0.1', 'port': 50333, 'model': '/checkpoints/wide', 'trust_remote_code': True}
(APIServer pid=6076) Traceback (most recent call last):
(APIServer pid=6076)   File "/rt/vllm/entrypoints/launchers/launcher.py", line 218, in \
create_server_socket
(APIServer pid=6076)     sock.bind(addr)
(APIServer pid=6076) OSError: [Errno 98] Address already in use
""".splitlines()

BAD_FLAG = """\
usage: api_server.py [-h] [--model MODEL]
api_server.py: error: unrecognized arguments: --no-such-flag
""".splitlines()

TOO_LONG = """\
(APIServer pid=1) pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig
(APIServer pid=1)   Value error, User-specified max_model_len (999999) is greater than the \
derived max_model_len (max_position_embeddings=8192). [type=value_error]
""".splitlines()

CUDA_MEMORY = """\
(EngineCore pid=77) ERROR 11-25 03:02:51 [core.py:1046] EngineCore failed to start.
(EngineCore pid=77) ERROR 11-25 03:02:51 [core.py:1046] torch.OutOfMemoryError: CUDA out of \
memory. Tried to allocate 9.00 GiB. GPU 0 has a total capacity of 44.42 GiB
(APIServer pid=70) RuntimeError: Engine core initialization failed. See root cause above.
""".splitlines()

CPU_MEMORY = """\
(Worker pid=5) RuntimeError: [enforce fail at alloc_cpu.cpp:127] err == 0. \
DefaultCPUAllocator: can't allocate memory: you tried to allocate 9437184000 bytes. Error code 12
(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.
""".splitlines()
