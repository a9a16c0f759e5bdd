"""A plugin of pytest: scipy's tests of its filters, with ours in place of its functions.

Writes to the file in RESULTS the outcome of each test in which at least one of our functions was called. The results
of the function in BROKEN are made wrong.
"""

import functools
import json
import os
from pathlib import Path

import scipy.ndimage
from scipy._lib import _array_api

import diff_conv2d.ndimage as ours

calls = dict.fromkeys(ours.__all__, 0)
outcomes = {}
before = 0
# What scipy's tests look a function up in; older versions have no such table.
capabilities = getattr(_array_api, "xp_capabilities_table", None)


def counted(name):
    function = getattr(ours, name)

    @functools.wraps(function)
    def call(*args, **kwargs):
        calls[name] += 1
        result = function(*args, **kwargs)
        if name == os.environ.get("BROKEN"):
            result += 1
        return result

    return call


def pytest_configure():
    """Replace scipy's functions, before its tests are imported, which take some of them as parameters."""
    for name in ours.__all__:
        replaced, replacing = getattr(scipy.ndimage, name), counted(name)
        if capabilities is not None:
            capabilities[replacing] = capabilities[replaced]
        setattr(scipy.ndimage, name, replacing)


def pytest_runtest_setup(item):
    global before
    before = sum(calls.values())


def pytest_runtest_logreport(report):
    if report.when == "call" and sum(calls.values()) > before:
        outcomes[report.nodeid.partition("::")[2]] = report.outcome


def pytest_sessionfinish(session):
    Path(os.environ["RESULTS"]).write_text(json.dumps({"calls": calls, "outcomes": outcomes}), encoding="utf-8")
