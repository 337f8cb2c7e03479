"""Names the plugin; everything else that pytest needs is in `fixtures/plugin/`."""

pytest_plugins = [
    "fixtures.plugin.options",
    "fixtures.plugin.collection",
    "fixtures.plugin.serving",
    "fixtures.plugin.summary",
]
