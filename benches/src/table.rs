//! The lines of the report.

/// Prints the heads of the columns.
pub fn head() {
    println!(
        "{:<58} {:>10} {:>10} {:>7} {:>10}  reached",
        "workload", "ours", "limit", "ratio", "goal"
    );
}

/// A ratio to the limit, and the most that it may be.
pub fn ratio(name: &str, ours: f64, limit: f64, unit: &str, goal: f64) {
    let ratio = ours / limit;
    line(
        name,
        &format!("{ours:.1} {unit}"),
        &format!("{limit:.1} {unit}"),
        &format!("{ratio:.2}"),
        &format!("{goal}x"),
        yes(ratio <= goal),
    );
}

/// A time, and the most that it may be on the machine that the goals come from, which is `factor` times as fast.
pub fn time(name: &str, ours: f64, limit: Option<f64>, goal: f64, factor: f64) {
    let shown = limit.map_or("-".to_owned(), |limit| format!("{limit:.1} ms"));
    let ratio = limit.map_or("-".to_owned(), |limit| format!("{:.2}", ours / limit));
    let reached = match () {
        () if ours <= goal => "yes",
        () if ours <= goal * factor => "yes, at that machine's speed",
        () => "NO",
    };
    line(
        name,
        &format!("{ours:.1} ms"),
        &shown,
        &ratio,
        &format!("{goal} ms"),
        reached,
    );
}

/// A figure, and the most that it may be.
pub fn figure(name: &str, ours: f64, limit: Option<f64>, unit: &str, goal: f64) {
    let shown = limit.map_or("-".to_owned(), |limit| format!("{limit:.1} {unit}"));
    let ratio = limit.map_or("-".to_owned(), |limit| format!("{:.2}", ours / limit));
    line(
        name,
        &format!("{ours:.1} {unit}"),
        &shown,
        &ratio,
        &format!("{goal} {unit}"),
        yes(ours <= goal),
    );
}

/// What a peer takes, for comparison.
pub fn peer(name: &str, theirs: f64, ours: f64) {
    println!("  {name:<56} {theirs:>7.1} ms {:>10} {:>6.1}x", "", theirs / ours);
}

fn yes(reached: bool) -> &'static str {
    if reached { "yes" } else { "NO" }
}

fn line(name: &str, ours: &str, limit: &str, ratio: &str, goal: &str, reached: &str) {
    println!("{name:<58} {ours:>10} {limit:>10} {ratio:>7} {goal:>10}  {reached}");
}
