"""Figures: each program reads tables of results and draws one of them."""
