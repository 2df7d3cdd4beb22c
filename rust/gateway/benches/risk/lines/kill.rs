//! From a kill to the first refusal: from a second thread, and through the page alone.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use cwts_gateway::{Gateway, HaltOptions};
use cwts_ring::KillPage;
use cwts_types::{Control, KillState, Order};
use rustix::time::ClockId;
use serde_json::{Value, json};

use super::Size;
use super::desk::{DESK_PX, gateway, order};
use super::timing::{Times, now_ns};

/// A second thread halts the firm while this one submits; without a log, and with one.
pub(super) fn from_a_thread(dir: &Path, size: Size, say: &mut dyn FnMut(Value)) {
    let hop = Times::of((0..size.kills).map(|_| hop_ns()).collect());
    for (peer, log) in [("no log", None), ("log", Some(dir.join("log-thread")))] {
        let mut gateway = gateway(&dir.join("desk.toml"), DESK_PX, log.as_deref());
        let mut kills = Vec::new();
        for number in 0..size.kills {
            let (go, switch) = (AtomicU64::new(0), gateway.switch());
            let times = thread::scope(|scope| {
                let killer = scope.spawn(|| {
                    let until = wait_for(&go) + delay_ns(number);
                    while monotonic_ns() < until {
                        std::hint::spin_loop();
                    }
                    let at = monotonic_ns();
                    cwts_gateway::raise(&switch, &cwts_gateway::firm(), Some(0), &halt());
                    at
                });
                go.store(monotonic_ns(), Ordering::Release);
                let refused = first_refusal(&mut gateway);
                (killer.join().unwrap(), refused)
            });
            kills.push(times);
            resume_all(&mut gateway);
        }
        say(kill_line("kill_thread", peer, &kills, &hop));
        drop(gateway);
        remove(log.as_deref());
    }
}

/// Another process raises the page's cell and nothing else.
pub(super) fn from_a_process(dir: &Path, size: Size, this: &Path, say: &mut dyn FnMut(Value)) {
    let log = dir.join("log-page");
    let mut gateway = gateway(&dir.join("desk.toml"), DESK_PX, Some(&log));
    let page = log.join(cwts_audit::holds::PAGE_FILE);
    let mut child = Command::new(this)
        .args([RAISE.as_ref(), page.as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ask = child.stdin.take().unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut kills = Vec::new();
    for number in 0..size.kills {
        writeln!(ask, "{}", delay_ns(number)).unwrap();
        let refused = first_refusal(&mut gateway);
        kills.push((told.next().unwrap().unwrap().parse().unwrap(), refused));
        resume_all(&mut gateway);
    }
    drop(ask);
    assert!(child.wait().unwrap().success());
    let hop = Times::of((0..size.kills).map(|_| hop_ns()).collect());
    say(kill_line("kill_page", "log", &kills, &hop));
    drop(gateway);
    remove(Some(&log));
}

/// The other process: for each delay on its input it raises the page and says when it did.
pub(crate) fn raise_when_told(page: &Path) {
    let page = KillPage::open(page).unwrap();
    for line in std::io::stdin().lines() {
        let until = monotonic_ns() + line.unwrap().parse::<u64>().unwrap();
        while monotonic_ns() < until {
            std::hint::spin_loop();
        }
        let at = monotonic_ns();
        page.raise(0, KillState::Halted as u8).unwrap();
        let mut out = std::io::stdout();
        writeln!(out, "{at}").and_then(|()| out.flush()).unwrap();
    }
}

/// Submits until an order is refused by a kill; when that answer was there, in monotonic ns.
///
/// An order that the log has no room for says nothing of a kill.
fn first_refusal(gateway: &mut Gateway) -> u64 {
    let began = monotonic_ns();
    for number in 0u32.. {
        let order = Order { instrument: number % 32 + 1, account: number / 32 % 32 + 1, ..order() };
        let decision = gateway.submit(&order).unwrap().outcome.decision;
        let now = monotonic_ns();
        if decision.first == Control::KillHalted as u8 {
            return now;
        }
        let is_full = decision.first == Control::AuditBackpressure as u8;
        assert!(decision.is_accepted() || is_full, "{decision:?}");
        assert!(now - began < PATIENCE_NS, "no kill");
    }
    unreachable!("so many orders take longer than the patience lasts")
}

fn resume_all(gateway: &mut Gateway) {
    let holds: Vec<u64> = gateway.engine().holds().map(|hold| hold.id).collect();
    assert!(!holds.is_empty(), "a refusal without a hold");
    for hold in holds {
        gateway.resume(hold, "anna", "bo", "benchmark").unwrap();
    }
    if gateway.dir().is_some() {
        gateway.sync().unwrap();
    }
}

fn kill_line(name: &str, peer: &str, kills: &[(u64, u64)], hop: &Times) -> Value {
    let times = kills.iter().map(|(raised, refused)| refused.saturating_sub(*raised) as f64);
    let times = Times::of(times.collect());
    json!({
        "name": name, "peer": peer, "unit": "ns", "kills": times.len(),
        "ours": times.median(), "ours_min": times.min(), "p99": times.quantile(0.99),
        "max": times.quantile(1.0), "ping_pong_p50": hop.median(),
    })
}

/// How long one word takes from one thread to another, half of there and back.
fn hop_ns() -> f64 {
    let (ping, pong) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..=HOPS {
                while ping.load(Ordering::Acquire) < number {
                    std::hint::spin_loop();
                }
                pong.store(number, Ordering::Release);
            }
        });
        let began = monotonic_ns();
        for number in 1..=HOPS {
            ping.store(number, Ordering::Release);
            while pong.load(Ordering::Acquire) < number {
                std::hint::spin_loop();
            }
        }
        (monotonic_ns() - began) as f64 / (2 * HOPS) as f64
    })
}

fn wait_for(go: &AtomicU64) -> u64 {
    loop {
        match go.load(Ordering::Acquire) {
            0 => std::hint::spin_loop(),
            at => return at,
        }
    }
}

/// Another moment each time: 50 to 1,000 us after the start.
fn delay_ns(number: usize) -> u64 {
    50_000 + (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) % 950_000
}

fn halt() -> HaltOptions {
    HaltOptions {
        reason: "benchmark".to_owned(),
        actor: "bench".to_owned(),
        reduce_only: false,
        allow_reduce: false,
    }
}

fn monotonic_ns() -> u64 {
    now_ns(ClockId::Monotonic)
}

fn remove(log: Option<&Path>) {
    if let Some(log) = log {
        std::fs::remove_dir_all(log).unwrap();
    }
}

/// How this program is told to be the other process; the page's path follows.
pub(crate) const RAISE: &str = "--raise-page";
const PATIENCE_NS: u64 = 10_000_000_000;
const HOPS: u64 = 1_000;
