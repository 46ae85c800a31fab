# SPDX-License-Identifier: Apache-2.0
"""The demo through real separate processes: venue, capture, sidecar, FIX gateway, and the static twin beside them."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import audit, calibration, features
from pretrade.audit import ControlJournal
from pretrade.bus import JournalReader
from pretrade.domain import UNDEFINED_PRICE, Config, Instrument, ReasonCode, Tier, Verdict
from pretrade.domain.clock import WallClock
from pretrade.domain.errors import SimulationError
from pretrade.gateway import decision_as_dict, journalled
from pretrade.limits import LimitsTable, QuotesTable, RunDirectory
from pretrade.sidecar.serve import ALERTS, TIER_CHANGES, announce, await_clock, prepare, set_clock, stop_on_signals
from pretrade.simulation import story
from pretrade.simulation.crew import Crew, await_warm
from pretrade.simulation.demo import StoryOptions, Told
from pretrade.simulation.fix_story import GATEWAYS, Answer, Desk, with_fix
from pretrade.simulation.market import INSTRUMENT_ID, SELLER_START_NS, TICK_SIZE, WARM_UP_S, MarketParameters, Simulator
from pretrade.simulation.training import CHAMPION, calm_models, model_folders
from pretrade.simulation.venue_server import VenueServer

PACED_FROM_NS: Final = SELLER_START_NS - 5_000_000_000
PAST_UNTIL_NS: Final = PACED_FROM_NS - 60_000_000_000
"""The last calm minute comes with the clock: a sidecar with a backlog loosens nothing, so it must judge that minute up to date."""
_LEAD_NS: Final = 3_000_000_000
CLOCK: Final = "clock.json"
STORY_END_NS: Final = SELLER_START_NS + 60_000_000_000
START_NS: Final = SELLER_START_NS - WARM_UP_S * 1_000_000_000
_SAMPLE_NS: Final = 100_000_000

Show = Callable[[Mapping[str, Any]], None]
Say = Callable[[str], None]


@dataclass(slots=True)
class Seen:
    """What the observer saw while the story ran."""

    samples: list[dict[str, Any]] = field(default_factory=list)
    dynamic: list[Answer] = field(default_factory=list)
    static: list[Answer] = field(default_factory=list)
    latest_ns: int = 0


def tell(seed: int, options: StoryOptions, cache: Path, config: Config, *, config_path: Path | None, say: Say, show: Show) -> Told:
    """Run the story at its own pace through separate processes.

    Parameters
    ----------
    seed, options
        Which market.
    cache
        Run directory where models are cached; tables and journals of this run lie in a fresh folder in shared memory.
    config
        The configuration before ``options``.
    config_path
        Its file, for the processes; ``None`` is the packaged one.
    say, show
        Called with progress, and ten times a second with what a terminal shows.

    Raises
    ------
    SimulationError
        If a process dies or does not come up.
    """
    started = time.perf_counter()
    say("the 14:30 flash crash, through separate processes")
    model = calm_models(config, cache, (CHAMPION,), say=say)[CHAMPION]
    folder = model_folders(config, cache, (CHAMPION,))[CHAMPION]
    asked, arms = config.hash, []
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    run_path = Path(tempfile.mkdtemp(prefix="pretrade-demo-", dir=base))
    crew = Crew(run_path)
    try:
        run, twin = RunDirectory(run_path), RunDirectory(run_path / "twin")
        _start_venue(crew, seed, options, run)
        venue = f"127.0.0.1:{crew.facts(run.path / 'venue.json')['fix_port']}"
        for directory, sender in zip((run, twin), GATEWAYS, strict=True):
            directory.path.mkdir(exist_ok=True)
            arms.append(with_fix(config_path, directory.path, sender, venue))
            config = Config.load(arms[-1])
            config = config.with_static_limit(options.static_limit)
            prepare(directory, config, (config.instrument("ES"),))
        instrument = config.instrument("ES")
        trained = time.perf_counter()
        _start_others(crew, options, run, twin, arms, folder)
        clock, past = _set_off(crew, run, twin)
        set_off = time.perf_counter() + _LEAD_NS / 1e9
        say(f"six processes are up and {past} events of calm behind them after {set_off - trained:.1f} s; the story runs at its own pace")
        seen = _observe(crew, instrument, run, twin, clock, show)
        ended = time.perf_counter()
        crew.stop()
        told = _conclude(seed, options, run, twin, config, seen, crew, clock)
        told.demo["config_hash"] = asked
        told.demo["model"] = {"id": model.id, "kind": CHAMPION, "provisional": model.provisional, "card": model.card()}
        told.demo["seconds"] = round(ended - set_off, 3)
        told.demo["seconds_start_up"] = round(set_off - trained, 3)
        told.demo["seconds_model"] = round(trained - started, 3)
        return told
    finally:
        crew.stop()
        shutil.rmtree(run_path, ignore_errors=True)


def _start_venue(crew: Crew, seed: int, options: StoryOptions, run: RunDirectory) -> None:
    market = (f"--seller-rate={options.seller_rate}", f"--maker-caps={options.maker_caps}", f"--value-volatility={options.value_volatility}")
    crew.start("venue", "simulate", "serve", f"--run={run.path}", f"--seed={seed}", f"--clock-file={run.path / CLOCK}", *market)


def _start_others(crew: Crew, options: StoryOptions, run: RunDirectory, twin: RunDirectory, arms: Sequence[Path], model: Path) -> None:
    one, two = ((f"--config={arm}", f"--static-limit={options.static_limit}") for arm in arms)
    crew.start("capture", "capture", f"--run={run.path}", "--instrument=ES", *one)
    crew.start("sidecar", "sidecar", f"--run={run.path}", "--instrument=ES", f"--model={model}", *one)
    crew.start("gateway", "gateway", f"--run={run.path}", *one)
    crew.start("sidecar-static", "sidecar", f"--run={twin.path}", "--instrument=ES", "--static", *two)
    # The twin differs in its limits alone: it reads the same prices.
    crew.start("gateway-static", "gateway", f"--run={twin.path}", f"--quotes={run.quotes}", *two)


def _set_off(crew: Crew, run: RunDirectory, twin: RunDirectory) -> tuple[WallClock, int]:
    """Set the story's clock once every process is up and has the past behind it.

    Returns
    -------
    tuple
        The clock, and the events of the past.
    """
    for directory in (run, twin):
        for name in ("sidecar.json", "gateway.json"):
            crew.facts(directory.path / name)
    sent = await_warm(crew, run)
    clock = WallClock(PACED_FROM_NS - _LEAD_NS - time.time_ns())
    set_clock(run.path / CLOCK, clock.offset_ns)
    return clock, sent


def _observe(crew: Crew, instrument: Instrument, run: RunDirectory, twin: RunDirectory, clock: WallClock, show: Show) -> Seen:
    """Send the probes to both gateways and sample the tables until the story ends."""
    seen = Seen()
    desk = Desk([int(crew.facts(d.path / "gateway.json")["port"]) for d in (run, twin)])
    desk.log_on(crew.check)
    quotes, limits = QuotesTable.open(run), LimitsTable.open(run)
    probe_at, number = SELLER_START_NS + story.PROBE_FROM_NS, 0
    sample_at = PACED_FROM_NS
    while (now := clock.utc()) < STORY_END_NS:
        crew.check()
        if now >= sample_at:
            quote, limit = quotes.read(instrument.instrument_id), limits.read(instrument.instrument_id)
            if now >= probe_at:
                number += 1
                ask = int(quote["ask_price"])
                price = ask + story.PROBE_TICKS_ABOVE_ASK * TICK_SIZE
                for answers, answer in zip((seen.dynamic, seen.static), desk.ask(number, price, story.PROBE_QUANTITY), strict=True):
                    answers.append(answer)
                probe_at += story.PROBE_EVERY_NS
            if UNDEFINED_PRICE not in (int(quote["bid_price"]), int(quote["ask_price"])):
                sample = _sample(now, quote, limit, seen)
                seen.samples.append(sample)
                show(sample)
            seen.latest_ns = max(seen.latest_ns, now - sample_at)
            sample_at += max(1, -(-(now - sample_at) // _SAMPLE_NS)) * _SAMPLE_NS
        time.sleep(0.005)
    desk.close()
    return seen


def _sample(now: int, quote: np.void, limit: np.void, seen: Seen) -> dict[str, Any]:
    score = float(limit["score"])
    return {
        "t_s": (now - SELLER_START_NS) / 1e9,
        "price": (int(quote["bid_price"]) + int(quote["ask_price"])) / 2e9,
        "depth_bid": int(quote["depth_bid"]),
        "depth_ask": int(quote["depth_ask"]),
        "spread_ticks": (int(quote["ask_price"]) - int(quote["bid_price"])) / TICK_SIZE,
        "score": 0.0 if np.isnan(score) else score,
        "tier": int(limit["tier"]),
        "limit": int(limit["max_order_quantity"]),
        "decision": seen.dynamic[-1].as_dict() if seen.dynamic else None,
        "static_decision": seen.static[-1].as_dict() if seen.static else None,
    }


def _decided(run: RunDirectory, answers: Sequence[Answer], clock: WallClock) -> NDArray[Any]:
    """What a gateway's journal holds of the orders, times on the story's clock.

    Raises
    ------
    SimulationError
        If the journal does not hold what the gateway told over FIX.
    """
    found = journalled(run)
    decisions = found[np.isin(found["client_order_id"], [a.number for a in answers])].copy()
    held = {int(d["client_order_id"]): (Verdict(int(d["verdict"])).name, ReasonCode(int(d["reason"])).name) for d in decisions}
    for answer in answers:
        if held.get(answer.number) != (answer.verdict, answer.reason):
            raise SimulationError(f"order {answer.number}: told {answer.verdict} {answer.reason} over FIX, journalled {held.get(answer.number)}")
    for name in ("ts_event", "ts_decision"):
        decisions[name] += clock.offset_ns
    return decisions


def _conclude(
    seed: int, options: StoryOptions, run: RunDirectory, twin: RunDirectory, config: Config, seen: Seen, crew: Crew, clock: WallClock
) -> Told:
    """Assemble ``demo.json`` from what the processes left on disk and the observer saw."""
    dynamic, static = _decided(run, seen.dynamic, clock), _decided(twin, seen.static, clock)
    rows = _rows(run, config, config.instrument("ES"))
    changes = [json.loads(line) for line in (run.path / TIER_CHANGES).read_text().splitlines()]
    fall = story.fall(rows.ts_recv, rows.column("mid_price"), SELLER_START_NS)
    before = [s["limit"] for s in seen.samples if s["t_s"] <= 0]
    high = [s["limit"] for s in seen.samples if s["tier"] >= Tier.HIGH]
    resumes = [e.fields.get("by") for e in ControlJournal(run.control_journal).read_new() if e.action == "resume"]
    journals = [j for d in (run, twin) for j in (d.control_journal, d.gate_journal(0))]
    demo = {
        "seed": seed,
        "static_limit": options.static_limit,
        "max_order_quantity_before": before[-1] if before else None,
        "max_order_quantity_high": high[0] if high else None,
        "ts_seller_start": SELLER_START_NS,
        "ts_elevated": story.first_tier(changes, Tier.ELEVATED, SELLER_START_NS),
        "ts_high": story.first_tier(changes, Tier.HIGH, SELLER_START_NS),
        "ts_critical": story.first_tier(changes, Tier.CRITICAL, SELLER_START_NS),
        "ts_minus_1pct": fall.ts_minus_1pct,
        "ts_minus_2pct": fall.ts_minus_2pct,
        "low_pct": fall.low_pct,
        "tier_changes": changes,
        "order_200": story.first_refused(dynamic, static),
        "alerts": [a.as_dict() for a in calibration.AlertJournal(run.path / ALERTS).read()],
        "processes": crew.listing(),
        "breaker_resumed_by": resumes[-1] if resumes else None,
        "audit_verified": all(audit.verify(j).ok for j in journals),
        "decisions": {name: [decision_as_dict(d) for d in decisions] for name, decisions in (("dynamic", dynamic), ("static", static))},
        "latest_sample_ms": round(seen.latest_ns / 1e6, 1),
    }
    names = ("t_s", "price", "depth_bid", "depth_ask", "spread_ticks", "score", "tier", "limit")
    return Told(demo, {name: [s[name] for s in seen.samples] for name in names})


def _rows(run: RunDirectory, config: Config, instrument: Instrument) -> features.Features:
    """Feature rows of everything the market journal holds."""
    reader = JournalReader(run.market_journal)
    engine = features.engine(config, (instrument,), with_quotes=False)

    def chunks() -> Any:  # noqa: ANN401 - a generator of event arrays
        while len(events := reader.read()):
            yield events

    return features.collect(chunks(), engine)


def serve_venue(run_path: Path, seed: int, market: MarketParameters, *, offset_ns: int = 0, clock_file: Path | None = None) -> None:
    """Body of ``pretrade simulate serve``: the simulated venue, its calm at once and its story on the clock.

    Parameters
    ----------
    run_path
        Run directory; ``venue.json`` there names the ports, ``venue-warm.json`` says that the past is sent.
    seed, market
        Which market.
    offset_ns
        Added to wall UTC.
    clock_file
        File in which the clock is set once everybody is ready; the venue waits for it, and answers its FIX sessions meanwhile.
    """
    is_stopped = stop_on_signals()
    server = VenueServer(Simulator(market, seed, START_NS), GATEWAYS, {"ES": INSTRUMENT_ID})
    server.announce(run_path / "venue.json")

    def is_over() -> bool:
        server.orders.serve()
        return is_stopped()

    sent = server.warm_up(START_NS, PAST_UNTIL_NS, is_stopped)
    announce(run_path / "venue-warm.json", events=sent)
    server.run(PAST_UNTIL_NS, STORY_END_NS + 2_000_000_000, await_clock(clock_file, offset_ns, is_over), is_stopped)
    while not is_over():
        time.sleep(0.05)
    server.close()
