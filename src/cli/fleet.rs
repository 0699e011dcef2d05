//! `upgrade --each`: many databases, several at once. The first one goes alone, a line for each, a summary at the end.
//!
//! Each database says itself what it has, so a run that was stopped is resumed by running it again.

mod named;

use std::cell::RefCell;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use serde_json::{Value, json};

use crate::cli::args;
use crate::cli::backup;
use crate::cli::run::{no_range, targets};
use crate::cli::session::{History, Session, no_text_is_passed_over, unsupported};
use crate::cli::text;
use crate::cli::ui::{DIM, GOOD, ID, Ui, WARN};
use crate::code::Code;
use crate::dialect;
use crate::driver::{self, Driver, Opening};
use crate::error::{Error, Result};
use crate::execute::{Cancel, Report};
use crate::migrator::{self, Migrator};
use crate::project::{DatabaseUrl, Load};
use crate::secret;
use crate::sorted;
use named::{Database, common_dialect, named};

/// The most threads.
const MOST_JOBS: usize = 1024;
/// The status of a run that was interrupted.
const INTERRUPTED: u8 = 130;

/// What became of one.
type Outcome = (usize, Result<Report>);

/// How many ended in which way.
#[derive(Default)]
struct Count {
    upgraded: usize,
    current: usize,
    failed: usize,
    interrupted: bool,
}

pub(super) fn upgrade(session: &mut Session<'_>, args: &args::Upgrade, ui: &mut Ui<'_>) -> Result<u8> {
    no_range(&args.targets)?;
    targets(&args.targets)?;
    if session.global.url.is_some() {
        let message = "`--url` names one database, and `--each` several";
        return Err(Error::new(Code::Usage, message).help("say --each URL for each of them"));
    }
    let project = session.project()?;
    let databases = named(session, &project, &args.fleet)?;
    let history = Session::history_for(project, common_dialect(&databases)?)?;
    let timeout = Session::timeout(&history, args.run.lock.lock_timeout)?;
    let revisions = history
        .project
        .revisions(history.dialect.variants(), Load { downgrades: true })?;
    let migrator = Migrator::from_revisions(history.dialect, revisions)?
        .for_command()
        .version_table(&history.project.config.version_table)
        .application(&session.user)
        .lock_timeout(timeout)
        .backup(backup::configured(session, &history, args.run.backup));
    let fleet = Fleet {
        databases,
        migrator: &migrator,
        target: args.targets.join(" "),
        whole: args.targets.iter().all(|target| target == "heads"),
        single: args.run.single_transaction,
        cancel: &session.cancel,
        opening: session.opening(&history.project)?,
        passed_over: passed_over(&history),
    };
    name_in_panics();
    let all = fleet.databases.len();
    let canaries = args.fleet.canary.unwrap_or(1).min(all);
    let jobs = args
        .fleet
        .jobs
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
    let mut teller = Teller {
        fleet: &fleet,
        count: Count::default(),
        documents: Vec::new(),
        ui,
    };
    // One that has nothing to do proves nothing: those are passed over, several at once.
    let mut at = 0;
    while at < all && teller.count.upgraded < canaries && teller.count.failed == 0 && !session.cancel.is_fired() {
        let current = fleet.current_from(at, jobs);
        // What comes of them is the same each time, and so is its order.
        let mut outcomes = Vec::new();
        fleet.run(at..at + current, jobs, &mut |outcome| outcomes.push(outcome));
        sorted::sort_by_key(&mut outcomes, |(at, _)| *at);
        for outcome in &outcomes {
            teller.tell(outcome);
        }
        at += current;
        if current == 0 {
            fleet.run(at..at + 1, 1, &mut |outcome| teller.tell(&outcome));
            at += 1;
        }
    }
    let sound = teller.count.failed == 0;
    if sound {
        fleet.run(at..all, jobs, &mut |outcome| teller.tell(&outcome));
    }
    Ok(teller.end(sound, canaries))
}

struct Fleet<'a> {
    databases: Vec<Database>,
    migrator: &'a Migrator,
    target: String,
    /// Whether the target is all that there is.
    whole: bool,
    single: bool,
    /// Why servers are refused that are of another kind than their URLs say.
    passed_over: Option<Error>,
    cancel: &'a Cancel,
    opening: Opening<'a>,
}

impl Fleet<'_> {
    /// Upgrades some of the databases, `jobs` at once, and tells of each when it is done. Only what runs is in memory.
    fn run(&self, which: std::ops::Range<usize>, jobs: usize, tell: &mut dyn FnMut(Outcome)) {
        let jobs = jobs.min(which.len()).clamp(1, MOST_JOBS);
        let next = AtomicUsize::new(which.start);
        let stop = AtomicBool::new(false);
        let work = |sender: mpsc::SyncSender<Outcome>| {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let stopped = stop.load(Ordering::Relaxed) || self.cancel.flag().load(Ordering::Relaxed);
                if at >= which.end || stopped {
                    return;
                }
                AT_WORK.set(self.databases[at].name.clone());
                if sender.send((at, self.one(at))).is_err() {
                    return;
                }
            }
        };
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::sync_channel(jobs);
            for _ in 0..jobs {
                let sender = sender.clone();
                if std::thread::Builder::new()
                    .spawn_scoped(scope, || work(sender))
                    .is_err()
                {
                    // Those that there are do the work; where there is none, all are left alone.
                    break;
                }
            }
            drop(sender);
            for outcome in receiver {
                stop.fetch_or(
                    matches!(&outcome.1, Err(error) if error.code() == Code::Interrupted),
                    Ordering::Relaxed,
                );
                tell(outcome);
            }
        });
    }

    /// How many databases from here on have nothing to do. They are looked at several at once, and as far as one look
    /// goes; what cannot be looked at counts as one that has.
    fn current_from(&self, at: usize, jobs: usize) -> usize {
        if !self.whole {
            return 0;
        }
        let looks = jobs.min(MOST_JOBS).saturating_mul(4).min(self.databases.len() - at);
        let is_current = |at: usize| {
            // To open one that is not there would make it, and it may be left alone.
            if let DatabaseUrl::Sqlite(place) = &self.databases[at].url
                && place.path.as_ref().is_some_and(|path| !path.exists())
            {
                return None;
            }
            let mut driver = self.open(at).ok()?;
            self.migrator.is_up_to_date(&mut *driver).ok()
        };
        let next = AtomicUsize::new(at);
        // The first one that has something to do.
        let first = AtomicUsize::new(at + looks);
        std::thread::scope(|scope| {
            for _ in 0..jobs.min(looks) {
                let look = || {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= first.load(Ordering::Relaxed) || self.cancel.flag().load(Ordering::Relaxed) {
                            return;
                        }
                        AT_WORK.set(self.databases[at].name.clone());
                        if is_current(at) != Some(true) {
                            first.fetch_min(at, Ordering::Relaxed);
                        }
                    }
                };
                if std::thread::Builder::new().spawn_scoped(scope, look).is_err() {
                    break;
                }
            }
        });
        // Where there was no thread to look, nothing is known.
        first.into_inner().min(next.into_inner()) - at
    }

    fn open(&self, at: usize) -> Result<Box<dyn Driver>> {
        let url = &self.databases[at].url;
        match url {
            DatabaseUrl::Sqlite(place) => migrator::connect::file(place),
            DatabaseUrl::Server { dialect, text } => {
                let driver = driver::server(dialect, text, self.opening).unwrap_or_else(|| Err(unsupported(url)))?;
                match self.passed_over.as_ref().filter(|_| driver.taken_for().is_some()) {
                    Some(error) => Err(error.clone()),
                    None => Ok(driver),
                }
            }
        }
    }

    fn one(&self, at: usize) -> Result<Report> {
        let done = self.open(at).and_then(|mut driver| self.on(&mut *driver));
        done.map_err(|error| error.in_words(&secret::redacted))
    }

    fn on(&self, driver: &mut dyn Driver) -> Result<Report> {
        let run = self.migrator.run(driver).cancel(self.cancel);
        let run = if self.single { run.single_transaction() } else { run };
        run.upgrade(&self.target)
    }
}

/// Tells of each database, and counts.
struct Teller<'t, 'w> {
    fleet: &'t Fleet<'t>,
    count: Count,
    documents: Vec<Value>,
    ui: &'t mut Ui<'w>,
}

impl Teller<'_, '_> {
    fn tell(&mut self, (at, result): &Outcome) {
        let name = &self.fleet.databases[*at].name;
        let (outcome, words) = match result {
            Ok(report) if report.steps.is_empty() => {
                self.count.current += 1;
                ("current", self.ui.paint(DIM, "nothing to do"))
            }
            Ok(report) => {
                self.count.upgraded += 1;
                let steps = counted(report.steps.len(), "revision", "revisions");
                let to = self.ui.paint(ID, &text::heads(&report.to));
                (
                    "upgraded",
                    format!("{}  {steps} -> {to}", self.ui.paint(GOOD, "upgraded")),
                )
            }
            Err(error) => {
                self.count.failed += 1;
                self.count.interrupted |= error.code() == Code::Interrupted;
                let word = self.ui.paint(WARN, "failed");
                ("failed", format!("{word}  {}", in_one_line(error)))
            }
        };
        if self.ui.json {
            self.documents.push(document(name, outcome, result));
        } else if outcome != "current" || !self.ui.quiet {
            self.ui.line(&format!("{name}  {words}"));
        }
    }

    /// The summary; the exit status is that of the worst.
    fn end(self, sound: bool, canaries: usize) -> u8 {
        let Self {
            fleet,
            count,
            documents,
            ui,
        } = self;
        let all = fleet.databases.len();
        let left = all - count.upgraded - count.current - count.failed;
        let interrupted = count.interrupted || fleet.cancel.flag().load(Ordering::Relaxed);
        if ui.json {
            ui.value(&json!({
                "command": "upgrade",
                "databases": documents,
                "summary": {
                    "upgraded": count.upgraded, "current": count.current, "failed": count.failed, "left": left,
                },
            }));
        } else {
            if !sound && left > 0 {
                let first = if canaries == 1 {
                    "the first one"
                } else {
                    "one of the first"
                };
                ui.tell(&format!(
                    "{first} failed, so the others were left alone; --canary 0 goes on all the same"
                ));
            }
            ui.say(&format!(
                "{}: {} upgraded, {} with nothing to do, {} failed, {left} left alone",
                counted(all, "database", "databases"),
                count.upgraded,
                count.current,
                count.failed
            ));
        }
        match (interrupted, count.failed + left) {
            (true, _) => INTERRUPTED,
            (false, 0) => 0,
            (false, _) => 1,
        }
    }
}

/// The error for a server of the kind that URLs of this one are taken for, if there is one; it is the same for all.
fn passed_over(history: &History) -> Option<Error> {
    let own = history.dialect.name();
    let is_other = |taken: &&dyn dialect::Dialect| taken.name() != own;
    let taken = dialect::named("mariadb").filter(|taken| is_other(taken) && taken.variants().contains(&own));
    let texts = history.dialect.variants().iter();
    let taken = taken.or_else(|| texts.filter_map(|name| dialect::named(name)).find(is_other));
    no_text_is_passed_over(&history.project, history.dialect, taken?).err()
}

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

thread_local! {
    /// What the database is called at which this thread is.
    static AT_WORK: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A panic, which ends the whole program, says which database it was at: the others can go on without it.
fn name_in_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        let name = AT_WORK.take();
        if !name.is_empty() {
            let words = "please report this; what it did in databases is undone or told by the next run; leave this one out \
                         until then";
            let _ = writeln!(std::io::stderr(), "this was at {name}: {words}");
        }
    }));
}

/// What is wrong, where, and what state the database is in.
fn in_one_line(error: &Error) -> String {
    let mut line = format!("[{}] {}", error.code().name(), error.message());
    let label = error.labels().first().map(|label| label.text.clone());
    let more = label.into_iter().filter(|text| !text.is_empty());
    let help = error.help_lines().first().map(|help| format!("help: {help}"));
    for words in more
        .chain(error.causes().iter().cloned())
        .chain(error.state_line().map(str::to_owned))
        .chain(help)
    {
        line.push_str("; ");
        line.push_str(&words);
    }
    line.replace(['\n', '\r'], " ")
}

fn document(name: &str, outcome: &str, result: &Result<Report>) -> Value {
    match result {
        Ok(report) => {
            let ids = |ids: &[crate::revision::RevisionId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
            let steps: Vec<_> = report.steps.iter().map(|ran| ran.step.revision.to_string()).collect();
            json!({
                "database": name, "outcome": outcome,
                "from": ids(&report.from), "to": ids(&report.to), "revisions": steps,
            })
        }
        Err(error) => {
            let mut document = crate::cli::report::object(error);
            if let Some(object) = document.as_object_mut() {
                object.insert("database".to_owned(), name.into());
                object.insert("outcome".to_owned(), outcome.into());
            }
            document
        }
    }
}
