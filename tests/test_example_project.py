"""The project in docs/example-project: it passes as it is, and fails with a telling message when the shop is broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.cases import PYTHONPATH, ROOT, capture_of

HTTP_1_1 = 'protocol_version = "HTTP/1.1"'


@pytest.fixture
def project(tmp_path, request):
    shutil.copytree(
        ROOT / "docs" / "example-project", tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__", ".*")
    )
    named = () if request.config.pluginmanager.hasplugin("analyzer") else ("-p", "analyzer.pytest_plugin")

    def run(*options):
        """Exit code and output of pytest in the project."""
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *named, *options]
        environment = os.environ | {"PYTHONPATH": PYTHONPATH, "COLUMNS": "120"}
        environment.pop("PYTEST_XDIST_WORKER", None)
        done = subprocess.run(
            command, cwd=tmp_path / "shop", env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, done.stdout

    run.folder = tmp_path / "shop"
    return run


def broken(project, before, after):
    """Replaces a part of the shop."""
    file = project.folder / "shop.py"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))


def needs_live(output):
    if "1 skipped" in output:
        pytest.skip("nobody may capture here")


def test_it_passes(project):
    code, output = project("-rs")
    assert code == 0, output
    assert "3 passed" in output or ("2 passed" in output and "cannot capture" in output)


def test_a_shop_that_closes_connections_is_noticed(project):
    broken(project, HTTP_1_1, 'protocol_version = "HTTP/1.0"')
    code, output = project("-k", "share")
    needs_live(output)
    assert code == 1
    assert "one connection was asked for; there are <2 connections in " in output
    assert "POST /login → 302" in output
    assert "GET /cart → 200" in output


def test_a_shop_that_answers_otherwise_is_noticed(project):
    broken(project, '"Location": "/cart"', '"Location": "/card"')
    code, output = project("-k", "share")
    needs_live(output)
    assert code == 1
    assert "GET /card → 404" in output or "assert b'' == b'1 pair of shoes" in output


def test_another_recording_is_noticed(project):
    shutil.copy(capture_of("http1/connection-close"), project.folder / "traffic" / "login" / "capture.pcap")
    code, output = project()
    assert code == 1
    told = [line.split() for line in output.splitlines() if line.startswith("  connections[0].")]
    assert ["connections[0].server_port", "8080", "80"] in [line[:3] for line in told]
    assert "FAILED traffic/login/expect.yaml::check" in output


def test_a_recording_that_is_missing_is_noticed(project):
    (project.folder / "traffic" / "login" / "capture.pcap").unlink()
    code, output = project("traffic")
    assert code == 1
    assert "there is no capture beside expect.yaml" in output
