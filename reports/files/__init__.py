"""Reports as files: JSON, CSV, Markdown, the model card."""
