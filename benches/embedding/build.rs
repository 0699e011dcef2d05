//! Makes folders of 1, 100 and 1,000 light revisions, and embeds them.

use std::path::Path;

fn main() {
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("Cargo gives it"));
    for count in [1, 100, 1000] {
        let folder = out.join(format!("revisions-{count}"));
        let mut parent = String::new();
        for at in 0..count {
            let id = format!("{:012x}", (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16);
            let revision = folder.join(format!("{at:05}_{id}"));
            std::fs::create_dir_all(&revision).expect("a folder");
            let upgrade = format!(
                "-- ---\n-- revision: {id}\n{parent}-- message: table {at}\n-- ---\n\
                 CREATE TABLE t{at} (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n"
            );
            let downgrade = format!("DROP TABLE t{at};\n");
            write(&revision.join("upgrade.sql"), &upgrade);
            write(&revision.join("downgrade.sql"), &downgrade);
            // The same for the peer, which has no headers and numbers from 1.
            let revision = out.join(format!("peer-{count}/{:05}-table_{at}", at + 1));
            std::fs::create_dir_all(&revision).expect("a folder");
            let body = upgrade.rsplit("-- ---\n").next().unwrap_or_default();
            write(&revision.join("up.sql"), body);
            write(&revision.join("down.sql"), &downgrade);
            parent = format!("-- down_revision: {id}\n");
        }
        let file = format!("{count}.bin");
        sqlrev::build::embed_as(&file, &sqlrev::dialect::sqlite::Sqlite, &folder);
    }
}

/// Leaves a file alone that says this already, so that Cargo sees no change.
fn write(path: &Path, text: &str) {
    if std::fs::read_to_string(path).ok().as_deref() != Some(text) {
        std::fs::write(path, text).expect("a file");
    }
}
