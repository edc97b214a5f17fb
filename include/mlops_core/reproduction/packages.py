"""Which of the recorded packages a train job needs, and how they differ from others."""

from collections.abc import Iterable, Mapping
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mlops_core.reproduction.report import Difference

_OWN = "airflow-mlops"
# A provider that somebody has added here is in no extra.
_AIRFLOW = "apache-airflow"
_NEEDED_EXTRAS = ("torch",)
# What orchestrates, tests and shows training, and takes no part in a fit.
_OTHER_EXTRAS = ("airflow", "demo", "dev", "docker", "stack")


def needed_packages(recorded: Mapping[str, str]) -> dict[str, str]:
    """Return the recorded packages that a fit may use, by canonical name.

    Left out are this library, which is code and no package here, and what only Airflow and the tests need.
    Names come from a file that others may write: one that neither this library needs nor anyone has installed
    here is left out as well.
    """
    fitting = _closure(_NEEDED_EXTRAS)
    others = _closure(_OTHER_EXTRAS) - fitting - {_OWN}
    known = fitting | {canonicalize_name(name) for name in installed_packages()}
    versions = {canonicalize_name(name): version for name, version in recorded.items()}
    return {
        name: version
        for name, version in sorted(versions.items())
        if name in known and name not in others and name != _OWN and not name.startswith(_AIRFLOW)
    }


def package_differences(recorded: Mapping[str, str], rebuilt: Mapping[str, str]) -> tuple[Difference, ...]:
    """Return which of the packages that a fit may use have another version, or none."""
    first, second = needed_packages(recorded), needed_packages(rebuilt)
    return tuple(
        Difference(name=name, recorded=first.get(name), rebuilt=second.get(name))
        for name in sorted(first.keys() | second.keys())
        if first.get(name) != second.get(name)
    )


def installed_packages() -> dict[str, str]:
    """Return the version of each package that this process can import, by its name."""
    return {item.name: item.version for item in metadata.distributions() if item.name}


def _closure(extras: Iterable[str]) -> frozenset[str]:
    """Return everything that this library with these extras brings along, itself included."""
    open_ends = [(_OWN, tuple(extras))]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while open_ends:
        name, wanted = open_ends.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        open_ends += [
            (canonicalize_name(requirement.name), tuple(sorted(requirement.extras)))
            for requirement in _requirements(name)
            if _applies(requirement, wanted)
        ]
    return frozenset(name for name, _ in seen)


def _applies(requirement: Requirement, extras: tuple[str, ...]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def _requirements(name: str) -> list[Requirement]:
    try:
        return [Requirement(line) for line in metadata.requires(name) or ()]
    except (metadata.PackageNotFoundError, InvalidRequirement):
        return []
