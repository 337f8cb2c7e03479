"""Names the plugin; everything else that pytest needs is in `fixtures/plugin/`."""

pytest_plugins = ["fixtures.plugin"]
