//! Every crash of a story, and what is asked of the disk that it leaves.

use std::collections::BTreeMap;

use super::key_folder::on_disk;
use super::story::{Event, K0, Told, go_on, keys, options, tells_of_a_cut, verify_keys};
use super::{CrashFault, FOUND_MAX, Found, Random, Report, Rig};
use crate::anchor::MemAnchor;
use crate::error::LogError;
use crate::keys::KeyChain;
use crate::storage::sim::SimDisk;
use crate::storage::sim_state::{DiskState, DiskStep, LOSSES, Loss};
use crate::storage::{MemStorage, TEMPORARY};
use crate::verify::{Finding, FindingKind, Level, Verdict, verify};
use crate::writer::{CHECKPOINT_FILE, Writer};

type Image = BTreeMap<String, Vec<u8>>;

/// What the writer's owner knows at a moment.
#[derive(Clone, Default)]
struct Truth {
    /// Everything pushed, on top of what was there when the log was opened last.
    pushed: Vec<Vec<u8>>,
    acknowledged: u64,
    /// Where a close ended that nothing was pushed after.
    closed: Option<u64>,
    /// The first epoch whose key may still be there.
    erased: u64,
    /// What the anchor keeps, which is on another disk.
    anchor: Option<Vec<u8>>,
}

impl Truth {
    fn learn(&mut self, event: &Event) {
        match event {
            Event::Pushed(entry) => {
                self.pushed.push(entry.clone());
                self.closed = None;
            }
            Event::Acknowledged(size) => self.acknowledged = self.acknowledged.max(*size),
            Event::Opened(entries) => self.pushed.clone_from(entries),
            Event::Working => self.closed = None,
            Event::Erased(epoch) => self.erased = *epoch,
            Event::Closed => self.closed = Some(self.acknowledged),
        }
    }
}

type Fault = (CrashFault, String);

/// Walks through a story and crashes after each of its steps.
pub(super) fn judge<S: Rig>(told: &Told, story: u64, random: &mut Random, report: &mut Report) {
    report.disk_errors += told.disk_errors;
    if let Some((step, why)) = &told.refused {
        let fault = refused(why.clone());
        report.tell(Found::new(story, *step, Loss::Nothing, fault));
    }
    let start = Image::new();
    let mut points = Points { story, outer: None, deeper: true };
    let cuts = Cuts { start: &start, told, truth: Truth::default() };
    points.each::<S>(&cuts, random, report);
}

fn refused(why: String) -> Fault {
    let fault = match why.split_once(':').map_or("", |(kind, _)| kind) {
        "tampering" => CrashFault::FalseTamper,
        "rollback" => CrashFault::FalseRollback,
        _ => CrashFault::Stuck,
    };
    (fault, why)
}

/// Steps on a disk, and what is known before them.
struct Cuts<'a> {
    start: &'a Image,
    told: &'a Told,
    truth: Truth,
}

struct Points {
    story: u64,
    /// The step and loss of the crash whose recovery is cut short here.
    outer: Option<(usize, Loss)>,
    /// Whether recoveries are cut short in turn.
    deeper: bool,
}

impl Points {
    fn each<S: Rig>(&mut self, cuts: &Cuts<'_>, random: &mut Random, report: &mut Report) {
        let mut disk = DiskState::from_image(cuts.start);
        let mut truth = cuts.truth.clone();
        let mut events = cuts.told.events.iter().peekable();
        let mut moves = cuts.told.anchored.iter().peekable();
        let mut last = Image::new();
        for step in 0..=cuts.told.steps.len() {
            while let Some((_, event)) = events.next_if(|(at, _)| *at <= step) {
                truth.learn(event);
            }
            while let Some((_, kept)) = moves.next_if(|(at, _)| *at <= step) {
                truth.anchor = Some(kept.clone());
            }
            // Nobody was promised anything of a log before its creation is done.
            if truth.acknowledged > 0 && random.below(STEPS_ONE_IN) == 0 {
                for loss in LOSSES {
                    let image = disk.crash(loss, random);
                    if image != last {
                        self.one::<S>(&image, &truth, (step, loss), random, report);
                        last = image;
                    }
                    if report.found.len() >= FOUND_MAX {
                        return;
                    }
                    if disk.is_synced() {
                        break;
                    }
                }
            }
            if let Some(step) = cuts.told.steps.get(step) {
                disk.apply(step);
                report.steps += 1;
            }
        }
    }

    fn one<S: Rig>(
        &mut self,
        image: &Image,
        truth: &Truth,
        (step, loss): (usize, Loss),
        random: &mut Random,
        report: &mut Report,
    ) {
        report.crash_points += 1;
        report.in_recovery += u64::from(self.outer.is_some());
        *report.losses.entry(loss).or_default() += 1;
        report.anchor_ahead += u64::from(image.get(CHECKPOINT_FILE) != truth.anchor.as_ref());
        let mut checked = look(image, truth, report);
        let goes_on = self.deeper && random.below(RECOVERIES_ONE_IN) == 0;
        if checked.is_ok() && (goes_on || random.below(GOES_ON_ONE_IN) == 0) {
            checked = self.recover::<S>(image, truth, goes_on, (step, loss), random, report);
        }
        if let Err(fault) = checked {
            let (outer, recovery_step) = match self.outer {
                Some((outer, _)) => (outer, Some(step)),
                None => (step, None),
            };
            let found = Found::new(self.story, outer, loss, fault);
            report.tell(Found { recovery_step, ..found });
        }
    }

    /// Opens the disk, writes on, verifies; and cuts that short too, if it is asked for.
    fn recover<S: Rig>(
        &mut self,
        image: &Image,
        truth: &Truth,
        deeper: bool,
        at: (usize, Loss),
        random: &mut Random,
        report: &mut Report,
    ) -> Result<(), Fault> {
        let disk = SimDisk::from_image(image);
        let mut told = Told::default();
        let kept = truth.anchor.clone();
        go_on::<S>(&disk, kept, &mut told).map_err(|error| refused(error.to_string()))?;
        told.steps = disk.steps_from(0);
        let mut after = DiskState::from_image(image);
        told.steps.iter().for_each(|step: &DiskStep| after.apply(step));
        let verdict = full(&after.crash(Loss::Nothing, random))?;
        no_findings(&verdict, |_| false)?;
        if deeper {
            let mut inner = Self { story: self.story, outer: Some(at), deeper: false };
            let cuts = Cuts { start: image, told: &told, truth: truth.clone() };
            inner.each::<S>(&cuts, random, report);
        }
        Ok(())
    }
}

/// What must hold of a disk that a crash left.
fn look(image: &Image, truth: &Truth, report: &mut Report) -> Result<(), Fault> {
    check_erased(image, truth.erased)?;
    // An auditor may come before the restart.
    let verdict = full(image)?;
    let closed = truth.closed == Some(verdict.size);
    let mended = |finding: &Finding| {
        let temporary =
            finding.kind == FindingKind::UnknownFile && finding.file.ends_with(TEMPORARY);
        !closed && (temporary || MENDED.contains(&finding.kind))
    };
    no_findings(&verdict, mended)?;

    let mut seen = 0;
    let mut invented = None;
    let mut last = Vec::new();
    let (log, folder) = split(image);
    let opened = Writer::open_anchored(
        log,
        keys(Box::new(folder)).map_err(|error| refused(error.to_string()))?,
        options(),
        Some(Box::new(MemAnchor::keeping(truth.anchor.clone()))),
        &mut |index, entry| {
            if truth.pushed.get(index as usize).is_none_or(|pushed| pushed != entry) {
                invented.get_or_insert(index);
            }
            seen = index + 1;
            last = entry.to_vec();
            Ok(())
        },
    );
    let (_, opened) = opened.map_err(|error: LogError| refused(error.to_string()))?;
    report.torn += u64::from(opened.cut_bytes > 0);
    report.clean += u64::from(opened.is_clean());
    if let Some(index) = invented {
        let what = format!("entry {index} is not the one that was pushed");
        return Err((CrashFault::Invented, what));
    }
    if seen < truth.acknowledged {
        let what = format!("{} entries were acknowledged, {seen} are left", truth.acknowledged);
        return Err((CrashFault::Lost, what));
    }
    let ends_with_close = last.first() == Some(&(cwts_types::EntryType::Close as u8));
    if !tells_of_a_cut(opened.cause, opened.cut_bytes) || (opened.is_clean() && !ends_with_close) {
        let what = format!("{} bytes were cut, the cause is {:?}", opened.cut_bytes, opened.cause);
        return Err((CrashFault::SilentCut, what));
    }
    if truth.closed.is_some() && !opened.is_clean() {
        let what = "a log whose close was done is called unclean".to_owned();
        return Err((CrashFault::Stuck, what));
    }
    Ok(())
}

/// The log's files, and those of its folder of keys.
fn split(image: &Image) -> (MemStorage, MemStorage) {
    let folder = on_disk("");
    let (mut log, mut keys) = (Image::new(), Image::new());
    for (name, bytes) in image {
        match name.strip_prefix(&folder) {
            Some(key) => keys.insert(key.to_owned(), bytes.clone()),
            None => log.insert(name.clone(), bytes.clone()),
        };
    }
    (MemStorage::from_image(log), MemStorage::from_image(keys))
}

/// No file may hold a frame key that was to be erased.
fn check_erased(image: &Image, epoch: u64) -> Result<(), Fault> {
    let mut chain = KeyChain::new(K0);
    while chain.epoch() < epoch {
        let holds = |bytes: &[u8]| bytes.windows(32).any(|window| window == chain.secret());
        let small = image.iter().filter(|(_, bytes)| bytes.len() < KEY_FILE_BYTES_MAX);
        if let Some((name, _)) = small.into_iter().find(|(_, bytes)| holds(bytes)) {
            let what = format!("`{name}` holds the frame key of epoch {}", chain.epoch());
            return Err((CrashFault::KeyKept, what));
        }
        chain = chain.evolved();
    }
    Ok(())
}

fn full(image: &Image) -> Result<Verdict, Fault> {
    let keys = verify_keys().map_err(|error| refused(error.to_string()))?;
    verify(&split(image).0, &keys, Level::Full)
        .map_err(|error| (CrashFault::Stuck, error.to_string()))
}

fn no_findings(verdict: &Verdict, allowed: impl Fn(&Finding) -> bool) -> Result<(), Fault> {
    let Some(finding) = verdict.findings.iter().find(|finding| !allowed(finding)) else {
        return Ok(());
    };
    let fault = match finding.kind {
        FindingKind::Rollback => CrashFault::FalseRollback,
        _ => CrashFault::FalseTamper,
    };
    let (kind, file) = (finding.kind.name(), &finding.file);
    let what = format!("verify: {kind} in `{file}`: {}, not {}", finding.got, finding.expected);
    Err((fault, what))
}

impl Found {
    fn new(story: u64, step: usize, loss: Loss, (fault, what): Fault) -> Self {
        Self { story, step, recovery_step: None, loss, fault, what }
    }
}

impl Report {
    fn tell(&mut self, found: Found) {
        if self.found.len() < FOUND_MAX {
            self.found.push(found);
        }
    }
}

/// What a crash may leave and an opening mends: tiles and bundles are derived and not synced one
/// by one, a close may have got half way, and so may the first frame behind one.
const MENDED: [FindingKind; 6] = [
    FindingKind::TileMissing,
    FindingKind::TileChanged,
    FindingKind::BundleMissing,
    FindingKind::BundleChanged,
    FindingKind::CloseIncomplete,
    FindingKind::WalPadding,
];
/// What is longer is no key file: frames and tiles hold no keys, and are long to look through.
const KEY_FILE_BYTES_MAX: usize = 512;
/// After one step in so many the disk crashes, in every way: rather more stories than all of one.
const STEPS_ONE_IN: u64 = 3;
/// One disk in so many has its opening cut short after each step.
const RECOVERIES_ONE_IN: u64 = 300;
/// One disk in so many is written on.
const GOES_ON_ONE_IN: u64 = 4;
