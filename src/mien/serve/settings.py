"""What an operator can set, by environment (MIEN_SERVE_…), by a TOML file (MIEN_SERVE_CONFIG) or by options of `mien serve`.

Options win over the environment, the environment over the file. `docs/reference/service-settings.md` is made from here."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

PREFIX = "MIEN_SERVE_"


class Settings(BaseSettings):
    """All settings of a service. Sizes in bytes, times in s."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    # what it serves
    galleries: tuple[str, ...] = Field(
        (), description="Galleries to serve: paths of files, or milvus://host/collection."
    )
    data: Path = Field(
        Path("mien-service"), description="Folder of what the service keeps: records, galleries made by request, jobs."
    )
    home: str = Field(
        "",
        description="Where galleries made by request live: empty for files in the data folder, or milvus://host:port.",
    )

    # where it listens
    host: str = Field("127.0.0.1", description="Address to listen at.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen at; 0: any that is free.")
    processes: int = Field(1, ge=1, le=256, description="Worker processes; each loads the models once.")
    tls_certificate: Path | None = Field(
        None, description="PEM file of the certificate chain; with tls_key it serves HTTPS."
    )
    tls_key: Path | None = Field(None, description="PEM file of the certificate's private key.")
    behind_proxy: bool = Field(
        False, description="A proxy in front does TLS; without this or TLS only this machine can be served."
    )
    proxies: tuple[str, ...] = Field(
        ("127.0.0.1", "::1"), description="Addresses whose word about the client's address counts, with behind_proxy."
    )
    connections: int = Field(1000, ge=8, description="Connections of a process at once; further ones are turned away.")
    head_seconds: float = Field(10.0, gt=0, description="Time for the head of a request to arrive, s.")
    notice: float = Field(
        0.0, ge=0, description="How long a stopping service still takes requests while it says that it is not ready, s."
    )
    drain: float = Field(30.0, ge=0, description="How long a stopping service goes on with requests it has taken, s.")

    # the engine
    detector: str = Field("mtcnn", description="Card of the detector.")
    embedder: str = Field("dlib_resnet", description="Card of the embedder.")
    judges: tuple[str, ...] = Field((), description="Judges to run on every face beside quality.")
    device: Literal["cpu", "cuda", "tensorrt", "openvino", "coreml", "directml"] = Field(
        "cpu", description="What the models run on; the service does not start where that is missing."
    )
    threads: int = Field(0, ge=0, description="Pictures worked on at once by a process; 0: its share of the cores.")
    queue: int = Field(64, ge=1, description="Requests that may wait for the engine; more are answered with 429.")
    batch: int = Field(8, ge=1, le=256, description="Requests put through the models together, at most.")

    # limits
    max_bytes: int = Field(20_000_000, ge=1024, description="Largest body of a request with pictures.")
    max_video_bytes: int = Field(2_000_000_000, ge=1024, description="Largest uploaded video.")
    max_megapixels: float = Field(40.0, gt=0, description="Largest picture, in millions of pixels.")
    max_faces: int = Field(100, ge=1, description="Faces answered for in one picture, largest first.")
    max_pictures: int = Field(32, ge=1, description="Pictures in one request.")
    body_seconds: float = Field(
        30.0, gt=0, description="Time for a body of max_bytes to arrive; larger ones get more in proportion."
    )
    rate: float = Field(50.0, gt=0, description="Requests per second of one key, on average; a key can have its own.")
    burst: int = Field(100, ge=1, description="Requests that a key may make at once.")

    # care
    secret: SecretStr | None = Field(
        None,
        description="Master secret that keys are derived from; else the file `secret` in the data folder, made at first start.",
    )
    secret_file: Path | None = Field(None, description="File that holds the master secret, in place of `secret`.")
    keys_file: Path | None = Field(
        None,
        description="File with keys that replicas with one master secret share, a line each: ID ROLE TENANT NAME.",
    )
    session_hours: float = Field(12.0, gt=0, le=720, description="How long the console stays signed in, h.")
    sources: tuple[str, ...] = Field(
        (), description="Prefixes of addresses that jobs may read, such as rtsp://10.0.0.; none by default."
    )
    hooks: tuple[str, ...] = Field(
        (), description="Prefixes of addresses that webhooks may be sent to; none by default."
    )
    job_days: int = Field(30, ge=0, description="Days after which ended jobs and their results are deleted; 0: never.")
    job_lease: float = Field(
        15.0, ge=0.5, description="Seconds after which the job of a process that died is taken over by another."
    )
    cameras: int = Field(2, ge=0, le=64, description="Live sources that a process watches at once, beside its one job.")
    datasets: Path | None = Field(None, description="Folder whose subfolders audits may read; none by default.")
    origins: tuple[str, ...] = Field((), description="Origins of other web pages that may call the service (CORS).")
    keep_images: bool = Field(True, description="Keep a crop of each enrolled face unless the request says otherwise.")
    retention_minutes: float = Field(
        60.0, gt=0, description="Time between two looks for people whose date has passed, min."
    )
    retention_days: int = Field(
        0, ge=0, description="Days after which enrolled people are erased unless they have their own date; 0: never."
    )
    log_format: Literal["json", "plain"] = Field("json", description="Form of the lines on stderr.")
    trace_endpoint: str = Field("", description="OTLP/HTTP address that traces go to; empty: none.")

    @model_validator(mode="after")
    def _both(self) -> Settings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if self.secret is not None and self.secret_file is not None:
            raise ValueError("secret and secret_file exclude each other")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        named = os.environ.get("MIEN_SERVE_CONFIG")
        file = (TomlConfigSettingsSource(settings_cls, Path(named)),) if named else ()
        return (init_settings, env_settings, *file)

    @property
    def workers(self) -> int:
        """Pictures worked on at once by a process."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return self.threads or max(1, cores // self.processes)

    @property
    def records(self) -> Path:
        """The file of the service's own records."""
        return self.data / "service.db"

    def master(self) -> bytes:
        """The secret that keys, sessions and seals are derived from. Raises UsageError, CannotWrite."""
        from mien.serve import master

        if self.secret is not None:
            return master.strong(self.secret.get_secret_value().encode(), "MIEN_SERVE_SECRET")
        return master.read(self.secret_file) if self.secret_file else master.made(self.data / "secret")


def settings(**given: Any) -> Settings:
    """Settings from options that were given, the environment and the file. Raises UsageError with what is wrong."""
    from pydantic import ValidationError

    from mien.errors import UsageError

    named = os.environ.get("MIEN_SERVE_CONFIG")
    if named and not Path(named).is_file():
        raise UsageError(f"MIEN_SERVE_CONFIG names {named}, which is no file.", "Name a TOML file.")
    _known(name for name in os.environ if name.upper().startswith(PREFIX))
    try:
        return Settings(**{key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(one) for one in each['loc']) or 'settings'}: {each['msg']}" for each in error.errors()
        )
        raise UsageError(
            f"The settings cannot be used: {faults}.", "See docs/reference/service-settings.md."
        ) from error
    except ValueError as error:  # a file that is no TOML, a list in the environment that is no JSON
        raise UsageError(f"The settings cannot be read: {error}.", "See docs/reference/service-settings.md.") from error


def _known(names: Iterable[str]) -> None:
    """Raises UsageError for a name that is no setting: pydantic would pass it over, and TLS could be off for a typo."""
    from mien.errors import UsageError

    known = {f"{PREFIX}{name.upper()}" for name in (*Settings.model_fields, "config")}
    for name in names:
        if name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            remedy = f"Did you mean {near[0]}?" if near else "See docs/reference/service-settings.md."
            raise UsageError(f"{name} is no setting.", remedy)
