"""Which sources models separate together: their names, their roles, and the unknown one."""

from collections.abc import Sequence

from rtsep.artefacts.basis import Basis
from rtsep.artefacts.network import Network


def divided(models: Sequence[Basis | Network]) -> tuple[list[Basis], Network | None]:
    """The bases and the network among models; ValueError where they do not go together."""
    bases = [model for model in models if isinstance(model, Basis)]
    networks = [model for model in models if isinstance(model, Network)]
    if len(networks) > 1:
        names = " and ".join(repr(network.card.name) for network in networks[:2])
        raise ValueError(f"networks {names} do not separate together (at most one)")
    both = bool(bases and networks)
    for model in models if both else ():
        wanted = "keep" if isinstance(model, Network) else "remove"
        if model.card.role != wanted:
            raise ValueError(
                f"model {model.card.name!r} is to {model.card.role} {model.card.source!r} (beside "
                f"a network that keeps its source, bases are of what is removed)"
            )
    return bases, networks[0] if networks else None


def known_sources(models: Sequence[Basis | Network]) -> list[dict[str, str]]:
    """[{name, role}] of all that models name, in the order of the masks: bases, then a network."""
    bases, network = divided(models)
    ordered: list[Basis | Network] = [*bases, *([network] if network else [])]
    return [each for model in ordered for each in model.card.sources]


def has_unknown(models: Sequence[Basis | Network], asked: bool | None) -> bool:
    """Whether there is a source beside the named ones, as the caller asked or by default."""
    _, network = divided(models)
    if network:
        alone = len(network.card.sources) == 1
        if asked not in (None, alone):
            raise ValueError(
                f"unknown={asked}: network {network.card.name!r} names {len(network.card.sources)} "
                f"of its two sources"
            )
        return alone
    if asked is not None or not models:
        return bool(asked and models)
    return len({model.card.role for model in models}) == 1


def source_names(models: Sequence[Basis | Network], unknown: bool) -> tuple[str, ...]:
    """Known sources in order, then "unknown"; equal names are numbered."""
    if not models:
        return ("all",)
    names: list[str] = []
    for each in known_sources(models):
        name, taken = each["name"], 1
        while name in (*names, "unknown"):
            taken += 1
            name = f"{each['name']}{taken}"
        names.append(name)
    return (*names, "unknown") if unknown else tuple(names)
