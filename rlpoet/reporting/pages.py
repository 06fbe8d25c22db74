"""HTML from the templates of this folder's ``templates/``. Whatever is put into one is escaped, whoever wrote it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def render(template: str, **values: Any) -> Markup:
    """A template filled in.

    Args:
        template: name of a file in ``templates/``.
        values: what it shows; text is escaped, what another ``render`` returned is not escaped again.

    Returns:
        HTML, marked as such, so that it can stand inside another page.
    """
    from markupsafe import Markup

    return Markup(environment().get_template(template).render(values))


@functools.cache
def environment() -> Environment:
    """Where templates are found; a name that a template uses and nobody gave is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # here: most verbs show no page

    return Environment(
        loader=PackageLoader("rlpoet.reporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
