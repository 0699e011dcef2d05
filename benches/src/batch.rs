//! Changes of a large table, beside the steps that one would write by hand for the same SQLite.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::measure::{Contender, Cost, rounds, run};
use crate::peers;
use crate::table;

/// How many rows the table has.
pub const ROWS: usize = 2_000_000;
/// How often contenders take turns.
const ROUNDS: usize = 3;

/// A table with what real ones have: three indexes, a trigger, a foreign key, and a table that refers to it.
pub const SETUP: &str = "
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers (id) ON DELETE CASCADE,
  code VARCHAR(20), amount INTEGER, note TEXT, state TEXT, created TEXT, old TEXT);
CREATE TABLE items (id INTEGER PRIMARY KEY, ordered INTEGER REFERENCES orders (id) ON DELETE CASCADE);
CREATE TABLE log (x);
";
const FURNITURE: &str = "
CREATE INDEX orders_customer ON orders (customer);
CREATE INDEX orders_code ON orders (code);
CREATE INDEX orders_created ON orders (created, state);
CREATE TRIGGER orders_log AFTER UPDATE OF state ON orders BEGIN INSERT INTO log VALUES (new.id); END;
";

/// The whole change: a type of another kind, NOT NULL, a CHECK, and a column that goes.
const ALL: &str = "ALTER TABLE orders ALTER COLUMN amount TYPE TEXT, ALTER COLUMN state SET NOT NULL, \
                   ADD CONSTRAINT positive CHECK (length(state) > 0), DROP COLUMN old;\n";
/// The same as statements of their own.
const ONE_BY_ONE: &str = "ALTER TABLE orders ALTER COLUMN amount TYPE TEXT;\n\
                          ALTER TABLE orders ALTER COLUMN state SET NOT NULL;\n\
                          ALTER TABLE orders ADD CONSTRAINT positive CHECK (length(state) > 0);\n\
                          ALTER TABLE orders DROP COLUMN old;\n";
/// Likewise with a type that is stored the same way: no part of it needs a copy.
const CHEAP: &str = "ALTER TABLE orders ALTER COLUMN code TYPE VARCHAR(40), ALTER COLUMN state SET NOT NULL, \
                     ADD CONSTRAINT positive CHECK (length(state) > 0), DROP COLUMN old;\n";
const CONSTRAINTS: &str =
    "ALTER TABLE orders ALTER COLUMN state SET NOT NULL, ADD CONSTRAINT positive CHECK (length(state) > 0);\n";
/// Changes of the definition alone.
const NO_ROW: &str = "ALTER TABLE orders ALTER COLUMN code TYPE VARCHAR(40), ADD COLUMN more TEXT DEFAULT 'x';\n\
                      ALTER TABLE orders RENAME COLUMN note TO remark;\n";

/// The twelve steps of <https://www.sqlite.org/lang_altertable.html#otheralter>.
const BY_HAND: &str = "
PRAGMA foreign_keys = OFF;
BEGIN IMMEDIATE;
CREATE TABLE new_orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers (id) ON DELETE CASCADE,
  code VARCHAR(20), amount TEXT, note TEXT, state TEXT NOT NULL, created TEXT,
  CONSTRAINT positive CHECK (length(state) > 0));
INSERT INTO new_orders SELECT id, customer, code, amount, note, state, created FROM orders;
DROP TABLE orders;
ALTER TABLE new_orders RENAME TO orders;
";
const NATIVE: &str = "BEGIN IMMEDIATE;
ALTER TABLE orders ALTER COLUMN state SET NOT NULL;
ALTER TABLE orders ADD CONSTRAINT positive CHECK (length(state) > 0);
COMMIT;
";

/// A folder with the database as it is before the change.
pub struct Scene {
    root: PathBuf,
    base: PathBuf,
}

impl Scene {
    pub fn new(root: &Path) -> Self {
        let base = root.join("base.db");
        let db = rusqlite::Connection::open(&base).expect("a database");
        let fill = format!(
            "PRAGMA synchronous = OFF; {SETUP}
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
             INSERT INTO customers SELECT i, 'customer ' || i FROM n;
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
             INSERT INTO orders SELECT i, i % 1000 + 1, 'code ' || (i * 7919 % {ROWS}), i % 977,
               'a note that is as long as notes are, ' || i, 'open', '2026-11-' || (i % 28 + 1), 'x' FROM n;
             INSERT INTO items SELECT id, id FROM orders WHERE id % 100 = 0;
             {FURNITURE}"
        );
        db.execute_batch(&fill).expect("the table");
        drop(db);
        fs::write(root.join("migrations.yaml"), "url: sqlite:app.db\n").expect("a file");
        Self {
            root: root.to_owned(),
            base,
        }
    }

    /// The database as it was, under this name.
    pub fn fresh(&self, name: &str) -> PathBuf {
        let path = self.root.join(name);
        let _ = fs::remove_file(self.root.join(format!("{name}-journal")));
        fs::copy(&self.base, &path).expect("a copy");
        path
    }

    fn revision(&self, statements: &str) {
        let folder = self.root.join("migrations/change");
        fs::create_dir_all(&folder).expect("a folder");
        let text = format!("-- ---\n-- revision: b2e9\n-- ---\n{statements}");
        fs::write(folder.join("upgrade.sql"), text).expect("a file");
    }
}

/// What the workloads need.
pub struct Tools<'a> {
    pub sqlrev: &'a dyn Fn(&Path, &str) -> Command,
    pub limit: &'a dyn Fn(&Path, &Path) -> Command,
}

/// Runs them all.
pub fn all(root: &Path, tools: &Tools<'_>, factor: f64) {
    let scene = Scene::new(root);
    let (by_hand, native) = (root.join("by_hand.sql"), root.join("native.sql"));
    let end = format!("{FURNITURE}PRAGMA foreign_key_check (orders);\nCOMMIT;\n");
    fs::write(&by_hand, format!("{BY_HAND}{end}")).expect("a file");
    fs::write(&native, NATIVE).expect("a file");
    let against = |statements: &str, script: &Path| -> (Cost, Cost) {
        scene.revision(statements);
        let contenders = [
            Contender {
                before: Box::new(|| drop(scene.fresh("app.db"))),
                command: Box::new(|| (tools.sqlrev)(root, "upgrade -q")),
            },
            Contender {
                before: Box::new(|| drop(scene.fresh("limit.db"))),
                command: Box::new(|| (tools.limit)(&root.join("limit.db"), script)),
            },
        ];
        let costs = rounds(ROUNDS, &contenders);
        (costs[0], costs[1])
    };
    let (whole, hand) = against(ALL, &by_hand);
    table::ratio(
        "2 M rows: a copy, beside the steps by hand",
        whole.cpu,
        hand.cpu,
        "ms",
        1.05,
    );
    table::figure("  peak memory", whole.memory, Some(hand.memory), "MB", 12.0);
    let base = fs::metadata(&scene.base).expect("the base").len();
    scene.revision(ALL);
    drop(scene.fresh("app.db"));
    let most = peak(root, || {
        run(&mut (tools.sqlrev)(root, "upgrade -q"));
    });
    table::figure(
        "  peak disk, times the database",
        most as f64 / base as f64,
        None,
        "",
        2.1,
    );
    let (one_by_one, _) = against(ONE_BY_ONE, &by_hand);
    table::ratio("  four ALTERs, beside one", one_by_one.cpu, whole.cpu, "ms", 1.05);
    let (cheap, _) = against(CHEAP, &native);
    table::ratio(
        "  in place and native, beside the steps by hand",
        cheap.cpu,
        hand.cpu,
        "ms",
        0.35,
    );
    let (constraints, scan) = against(CONSTRAINTS, &native);
    table::ratio(
        "  NOT NULL and CHECK, beside SQLite's own",
        constraints.cpu,
        scan.cpu,
        "ms",
        1.5,
    );
    let (no_row, _) = against(NO_ROW, &native);
    table::time("  changes that touch no row", no_row.cpu, None, 50.0, factor);
    peers::batch(&scene, root, whole.cpu);
}

/// The most bytes that the databases in a folder take while something runs, the base aside.
fn peak(root: &Path, work: impl FnOnce()) -> u64 {
    let (done, most) = (AtomicBool::new(false), AtomicU64::new(0));
    let watch = || {
        while !done.load(Ordering::Relaxed) {
            let sizes = ["app.db", "app.db-journal", "app.db-wal"].map(|name| fs::metadata(root.join(name)));
            let sum = sizes.iter().flatten().map(fs::Metadata::len).sum();
            most.fetch_max(sum, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(5));
        }
    };
    thread::scope(|scope| {
        scope.spawn(watch);
        work();
        done.store(true, Ordering::Relaxed);
    });
    most.into_inner()
}
