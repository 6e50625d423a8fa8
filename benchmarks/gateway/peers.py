"""The gateways beside us, from their packages, each in an environment of its own; one that cannot be had is named."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LITELLM = "litellm[proxy]==1.106.2"
PORTKEY = "@portkey-ai/gateway@1.15.2"
KEY = {"LITELLM_MASTER_KEY": "sk-ant-api03-local"}
"""The key that the load shows; without one it does not start."""
INSTALLING = 420
"""Seconds that an installation may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How a gateway is started, in which folder of its own."""

    name: str
    argv: Sequence[str]
    port: int
    env: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A gateway that is not measured, and why."""

    name: str
    why: str


def nginx(upstream: int, port: int, folder: Path) -> Command | Missing:
    """One worker, a kept-alive upstream, nothing buffered."""
    found = shutil.which("nginx")
    if found is None:
        return Missing(name="nginx", why="not installed on this machine")
    config = folder / "nginx.conf"
    config.write_text(
        f"""daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 4096; }}
http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 512; }}
  server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
  }} }}"""
    )
    return Command(name="nginx", argv=(found, "-c", str(config)), port=port)


def litellm(upstream: int, port: int, folder: Path, cache: Path) -> Command | Missing:
    """LiteLLM's `/v1/messages`."""
    home = cache / "litellm"
    program = home / "bin" / "litellm"
    if not program.exists():
        why = _run([sys.executable, "-m", "venv", str(home)]) or _run(
            [str(home / "bin" / "python"), "-m", "pip", "install", "-q", LITELLM]
        )
        if why:
            return Missing(name="LiteLLM", why=why)
    config = folder / "litellm.yaml"
    config.write_text(
        "model_list:\n  - model_name: claude-haiku-5-5\n    litellm_params:\n"
        "      model: anthropic/claude-haiku-5-5\n"
        f"      api_base: http://127.0.0.1:{upstream}\n      api_key: sk-ant-api03-local\n"
    )
    argv = (str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port))
    quiet = {"LITELLM_TELEMETRY": "False", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    return Command(name="LiteLLM", argv=argv, port=port, env={**quiet, **KEY, "HOME": str(folder)})


def portkey(upstream: int, port: int, cache: Path) -> Command | Missing:
    """Portkey's open gateway, whose caller names the upstream."""
    home = cache / "portkey"
    program = home / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return Missing(name="Portkey", why="node and npm are not installed on this machine")
    if not program.exists() and (why := _run([npm, "install", "--prefix", str(home), PORTKEY])):
        return Missing(name="Portkey", why=why)
    argv = (node, str(program), f"--port={port}", "--headless")
    return Command(name="Portkey", argv=argv, port=port, env={"TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"})


def _run(argv: Sequence[str]) -> str | None:
    """Why it could not be done; `None` when it was."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=INSTALLING, env=dict(os.environ))
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"could not be installed: {type(error).__name__}"
    if done.returncode == 0:
        return None
    said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return f"could not be installed: {said[-1][:160] if said else done.returncode}"
