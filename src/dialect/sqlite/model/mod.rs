//! Random schemas, rows and ALTERs. What comes out is held against a database that is built directly from a model of
//! its own, which knows what each ALTER means and nothing of how it is done.

mod author;
mod columns;
mod compare;
mod constraints;
mod hanging;
mod play;
mod random;

pub(super) use random::Random;
mod scene;
mod schema;
mod script;
mod setup;
mod state;
mod types;

use play::{Mode, play};

/// Plays a share of the seeds: 500 in all, or as many as `SQLREV_SEEDS` says, from `SQLREV_FIRST_SEED` on.
fn share(part: u64, parts: u64) {
    #[expect(clippy::disallowed_methods, reason = "how long to test is no input of the program")]
    let number = |name: &str, default: u64| {
        let text = std::env::var(name).ok();
        text.map_or(default, |text| text.parse().expect("a number"))
    };
    let first = number("SQLREV_FIRST_SEED", 0);
    let seeds = number("SQLREV_SEEDS", 500);
    let mine: Vec<u64> = (first..first + seeds).filter(|seed| seed % parts == part).collect();
    let (mut failures, mut altered, mut refused) = (Vec::new(), 0, 0);
    for seed in &mine {
        match play(*seed, Mode::of(*seed)) {
            Ok(played) => {
                altered += usize::from(played.altered);
                refused += usize::from(played.refused);
            }
            Err(what) => failures.push(format!("seed {seed}: {what}")),
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} fail\n{}",
        failures.len(),
        mine.len(),
        failures[..failures.len().min(4)].join("\n\n")
    );
    // A generator that leads nowhere would prove nothing; a few seeds say nothing of that.
    assert!(
        mine.len() < 100 || altered * 2 > mine.len() && refused * 50 > mine.len(),
        "{altered} altered, {refused} refused"
    );
}

#[test]
fn random_alters_lead_to_the_database_that_they_mean_0() {
    share(0, 4);
}

#[test]
fn random_alters_lead_to_the_database_that_they_mean_1() {
    share(1, 4);
}

#[test]
fn random_alters_lead_to_the_database_that_they_mean_2() {
    share(2, 4);
}

#[test]
fn random_alters_lead_to_the_database_that_they_mean_3() {
    share(3, 4);
}
