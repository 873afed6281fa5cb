"""How the documentation is built.

The scripts `examples/**/plot_*.py` are run, and become the gallery. A name in the
`__all__` of a public module that is not in the reference, or has no docstring, is a
warning, and so ends a build with ``-W``. Nothing is fetched.
"""

import importlib
import inspect
import pkgutil
import re

import skmlp

project = "skmlp"
author = "The skmlp developers"
copyright = "the skmlp developers"
version = release = skmlp.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",  # MathJax among the pages, which need no network
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say more
numpydoc_show_class_members = False  # autodoc lists them
numpydoc_class_members_toctree = False
toc_object_entries_show_parents = "hide"

# `name` in a docstring is code, and leads to what has that name, if anything has.
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [("py:obj", "(?s).*"), ("py:class", ".*")]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "ignore_pattern": "^(?!plot_)",  # programs with a command line
    "copyfile_regex": r".*\.csv",
    "subsection_order": [
        f"../examples/{name}"
        for name in ("backprop", "training", "regularization", "evaluation")
    ],
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "gallery/backreferences",  # what uses a class, on its page
    "doc_module": ("skmlp",),
    "inspect_global_variables": False,
    "image_srcset": ["2x"],  # sharp on a telephone
    "matplotlib_animations": (True, "jshtml"),  # needs no ffmpeg
    "download_all_examples": False,
    "write_computation_times": False,
    "show_signature": False,
}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = f"skmlp {version}"
html_static_path = ["_static"]
html_css_files = ["skmlp.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {  # pages with nothing below them
    name: []
    for name in (
        "index",
        "install",
        "tour",
        "scikit-learn",
        "extending",
        "architecture",
        "benchmarks",
        "predictions",
        "scaling",
        "threads",
        "changelog",
        "contributing",
    )
}
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "skmlp"},
    "header_links_before_dropdown": 5,
    "navbar_end": ["theme-switcher"],
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
}

# Modules with an `__all__` that is for other modules of the package.
INNER = {"skmlp.compiled", "skmlp.estimators.engines"}

# Where variables come from that are public elsewhere, and would lose their text there.
MOVED = {
    "skmlp.SKOPS_TRUSTED": "skmlp._trusted",
    "skmlp.core.optimizers.OPTIMIZERS": "skmlp.core.optimizers.base",
}

# Characters from which on code may break; shorter names stay in one piece.
LONG_CODE, LONG_CODE_IN_TABLE = 30, 12

SKLEARN = "https://scikit-learn.org/stable"
# Labels in docstrings that are inherited: their addresses, and texts for references
# that have none.
SKLEARN_LABELS = {
    "accuracy_score": ("modules/model_evaluation.html#accuracy-score", None),
    "metadata_routing": ("metadata_routing.html", None),
    "df_output_transform": (
        "modules/df_output_transform.html",
        "Introducing the set_output API",
    ),
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
        "auto_examples/miscellaneous/plot_set_output.html",
        "set_output in the gallery",
    ),
}


def text_of(name):
    """The text below a variable of `MOVED`."""
    from sphinx.pycode import ModuleAnalyzer

    texts = ModuleAnalyzer.for_module(MOVED[name]).find_attr_docs()
    return "\n".join(texts["", name.rpartition(".")[2]]).strip()


def drop_text_of_type(app, what, name, obj, options, lines):
    """Leave what a list or a dict says of itself out; the template has the text."""
    if name in MOVED:
        lines.clear()


def public_names():
    """All public names, in full, with what they stand for."""
    modules = [
        "skmlp",
        *(
            module.name
            for module in pkgutil.walk_packages(skmlp.__path__, "skmlp.")
            if not re.search(r"\._", module.name)
            and module.name not in INNER
            and not module.name.startswith("skmlp.compiled.")
        ),
    ]
    for name in modules:
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            yield f"{name}.{public}", getattr(module, public)


def check_public_names(app, env):
    """Warn of public names that are not in the reference, or have no docstring."""
    from sphinx.util import logging

    logger = logging.getLogger(__name__)
    documented = env.domains.python_domain.objects
    for name, value in public_names():
        if name not in documented:
            logger.warning(
                "%s is public, but not in the reference (docs/reference)", name
            )
        if inspect.isclass(value) or inspect.isroutine(value):
            if not value.__doc__:
                logger.warning("%s is public, but has no docstring", name)


def link_to_sklearn(app, env, node, contnode):
    """Link to scikit-learn's pages, whose addresses follow from the names."""
    from docutils import nodes

    target, kind = node["reftarget"], node["reftype"]
    if target.startswith("sklearn.") and node.get("refdomain") == "py":
        address = f"modules/generated/{target}.html"
    elif kind == "ref" and target in SKLEARN_LABELS:
        address, text = SKLEARN_LABELS[target]
        if text is not None and not node["refexplicit"]:
            contnode = nodes.inline(text, text)
    elif kind == "term":
        address = f"glossary.html#term-{target.replace(' ', '-')}"
    else:
        return None
    return nodes.reference("", "", contnode, refuri=f"{SKLEARN}/{address}")


def strip_examples(app, doctree):
    """Cut the blank line at the end of a doctest in Markdown, which pytest needs."""
    from docutils import nodes

    for block in doctree.findall(nodes.literal_block):
        if block.astext().startswith(">>>"):
            text = block.astext().rstrip("\n")
            block.rawsource, block.children = text, []
            block += nodes.Text(text)


def link_to_code(app, doctree, docname):
    """Make a path such as `skmlp/core/network.py` lead to the highlighted source."""
    from docutils import nodes

    modules = getattr(app.env, "_viewcode_modules", {})
    for literal in list(doctree.findall(nodes.literal)):
        match = re.fullmatch(r"(skmlp/[\w/]+)\.py", literal.astext())
        if not match or isinstance(literal.parent, nodes.reference):
            continue
        name = match[1].removesuffix("/__init__").replace("/", ".")
        if not modules.get(name):
            continue
        page = "_modules/" + name.replace(".", "/")
        uri = app.builder.get_relative_uri(docname, page)
        literal.replace_self(
            nodes.reference("", "", literal.deepcopy(), internal=True, refuri=uri)
        )


def break_after(text):
    """Split code after slashes, double colons and single underscores."""
    return re.findall(r".+?(?:/|::|(?<!_)_(?!_|$)|$)", text)


def allow_breaks(app, doctree, docname):
    """Let long code break after a slash, a colon or an underscore."""
    from docutils import nodes

    if app.builder.format != "html":
        return
    cells = doctree.findall(nodes.entry)
    in_table = {node for cell in cells for node in cell.findall(nodes.literal)}
    for literal in list(doctree.findall(nodes.literal)):
        text = literal.astext()
        shortest = LONG_CODE_IN_TABLE if literal in in_table else LONG_CODE
        if len(text) < shortest or not isinstance(literal[0], nodes.Text):
            continue
        parts = break_after(text)
        literal.children = []
        for part in parts[:-1]:
            literal += [nodes.Text(part), nodes.raw("", "<wbr>", format="html")]
        literal += nodes.Text(parts[-1])


def setup(app):
    """Connect the functions above."""
    app.config.autosummary_context["texts"] = {name: text_of(name) for name in MOVED}
    app.connect("autodoc-process-docstring", drop_text_of_type)
    app.connect("env-check-consistency", check_public_names)
    app.connect("missing-reference", link_to_sklearn)
    app.connect("doctree-read", strip_examples)
    app.connect("doctree-resolved", link_to_code)
    app.connect("doctree-resolved", allow_breaks, priority=600)  # after the links
