"""Which volume holds a node's files. Pure: asks no engine."""

from collections.abc import Collection

from mlops_core.containers.specification import volume_name


def choose_volume(node: str, *, existing: Collection[str], given_up: Collection[str]) -> str:
    """Return the name of the volume for a node's next container.

    Parameters
    ----------
    node
        Name of the node's container.
    existing
        Names of the volumes of its job.
    given_up
        Those whose files belong to kept containers alone, which stay as they are.

    Returns
    -------
    The volume that was made last, with the files of the try before; another one where that was given up.
    """
    last = max((_number(name, node=node) for name in {*existing, *given_up}), default=0) or 1
    name = volume_name(node, last)
    return volume_name(node, last + 1) if name in given_up else name


def _number(name: str, *, node: str) -> int:
    """Return which of the node's volumes it is; 0 for another's."""
    first = volume_name(node)
    if name == first:
        return 1
    number = name.removeprefix(f"{first}-")
    return int(number) if number != name and number.isdecimal() else 0
