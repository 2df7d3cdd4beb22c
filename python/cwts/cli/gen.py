"""`cwts gen`: order flow without a market."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from cwts import datasets
from cwts._outputs import check_outputs, whole_file
from cwts.cli.output import json_option, write_json

__all__ = ["gen"]


@click.command()
@click.option(
    "--profile",
    default="equity-liquid",
    show_default=True,
    help="Which market: equity-liquid, equity-thin, future.",
)
@click.option(
    "-n",
    "--events",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(1),
    help="How many events.",
)
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0, 2**64 - 1))
@click.option("--instruments", default=8, show_default=True, type=click.IntRange(1, 4096))
@click.option("--anomalies", is_flag=True, help="Put known anomalies in; labels.ndjson says where.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file; its suffix says the format: .csv, .parquet, .arrow, .itch.",
)
@json_option
def gen(
    *,
    profile: str,
    events: int,
    seed: int,
    instruments: int,
    anomalies: bool,
    output: Path,
    as_json: bool,
) -> None:
    """Write synthetic order flow: the same seed gives the same bytes on every machine."""
    labels_path = output.with_name("labels.ndjson") if anomalies else None
    check_outputs([("-o", output), ("the labels", labels_path)], ())
    began = time.perf_counter()
    labels = datasets.synth(
        output,
        events,
        seed=seed,
        profile=profile,
        anomalies=anomalies,
        instruments=instruments,
    )
    seconds = time.perf_counter() - began
    if labels_path is not None:
        lines = "".join(json.dumps(label, separators=(",", ":")) + "\n" for label in labels)
        with whole_file(labels_path) as place:
            place.write_text(lines, encoding="utf-8")
    size_bytes = output.stat().st_size
    if as_json:
        write_json(
            {
                "path": str(output),
                "events": events,
                "bytes": size_bytes,
                "profile": profile,
                "seed": seed,
                "labels": None if labels_path is None else str(labels_path),
                "anomalies": len(labels),
                "seconds": seconds,
            }
        )
        return
    click.echo(
        f"{output}: {events:,} events, {size_bytes:,} bytes, {profile}, seed {seed}, "
        f"{seconds:.2f} s"
    )
    if labels_path is not None:
        click.echo(f"{labels_path}: {len(labels)} anomalies")
