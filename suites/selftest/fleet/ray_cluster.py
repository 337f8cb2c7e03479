"""A cluster of pretended hosts on this machine; obeys a line each: `remove N`, `end`.

Runs in the fleet's environment. Prints its address, then the id of each host.
"""

import sys

from ray.cluster_utils import Cluster

_MEMORY_BYTES = 9 * 1024**3


def main() -> None:
    """Start it, with one head that offers no card, and obey."""
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    hosts = [
        cluster.add_node(num_cpus=2, memory=_MEMORY_BYTES, resources={"cpu": 1.0})
        for _ in range(int(sys.argv[1]))
    ]
    print(cluster.address, *(host.node_id for host in hosts), flush=True)  # noqa: T201 - a program
    for line in sys.stdin:
        match line.split():
            case ["remove", number]:
                cluster.remove_node(hosts[int(number)], allow_graceful=False)
                print("removed", flush=True)  # noqa: T201 - a program
            case _:
                break
    cluster.shutdown()


if __name__ == "__main__":
    main()
