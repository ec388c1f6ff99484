"""Runs as one page of HTML that needs no network and no script."""

from qgnn_lightning.report._page import render_page
from qgnn_lightning.report._run_place import NoRunError, ReportError
from qgnn_lightning.report._run_record import RunRecord, read_run
from qgnn_lightning.report._sections import size_ratio

__all__ = ["NoRunError", "ReportError", "RunRecord", "read_run", "render_page", "size_ratio"]
