"""All that is shown or written: console, notebook, run pages, figures, tables, TensorBoard."""
