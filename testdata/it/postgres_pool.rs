//! A pooler in transaction mode: its clients take turns in one session of the real server.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::postgres::place_on;
use crate::server::Database;

/// What a client asks first: TLS, or the session of Kerberos.
const ASKS: [u32; 2] = [80_877_103, 80_877_104];
/// To stop a statement.
const CANCELS: u32 = 80_877_102;

/// The session, and how the server greeted it.
struct Pool {
    session: Mutex<UnixStream>,
    greeting: Vec<u8>,
}

impl Pool {
    fn new(database: &Database) -> io::Result<Self> {
        let [host, port] = ["PGHOST", "PGPORT"].map(|name| &database.variables[name]);
        let mut session = UnixStream::connect(format!("{host}/.s.PGSQL.{port}"))?;
        let mut startup = 196_608_u32.to_be_bytes().to_vec();
        for word in [
            "user",
            "postgres",
            "database",
            &database.name,
            "client_encoding",
            "UTF8",
            "",
        ] {
            startup.extend_from_slice(word.as_bytes());
            startup.push(0);
        }
        let length = u32::try_from(startup.len() + 4).expect("it is short");
        session.write_all(&length.to_be_bytes())?;
        session.write_all(&startup)?;
        let mut greeting = Vec::new();
        while pass(&mut session, &mut greeting)?.0 != b'Z' {}
        Ok(Self {
            session: Mutex::new(session),
            greeting,
        })
    }

    /// Serves one client until it goes; it keeps the session for as long as its transaction lasts.
    fn serve(&self, mut client: UnixStream) -> io::Result<()> {
        loop {
            let (length, code) = (number(&mut client)?, number(&mut client)?);
            if code == CANCELS {
                return Ok(());
            }
            if ASKS.contains(&code) {
                client.write_all(b"N")?;
                continue;
            }
            let mut rest = vec![0; length as usize - 8];
            client.read_exact(&mut rest)?;
            break;
        }
        client.write_all(&self.greeting)?;
        let mut kept: Option<MutexGuard<'_, UnixStream>> = None;
        loop {
            let mut message = Vec::new();
            if pass(&mut client, &mut message)?.0 == b'X' {
                return Ok(());
            }
            let mut session = kept
                .take()
                .unwrap_or_else(|| self.session.lock().unwrap_or_else(PoisonError::into_inner));
            session.write_all(&message)?;
            let state = loop {
                let (kind, last) = pass(&mut *session, &mut client)?;
                if kind == b'Z' {
                    break last;
                }
            };
            kept = (state != b'I').then_some(session);
        }
    }
}

fn number(from: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

/// Hands one message on; returns its kind, and its last byte.
fn pass(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u8, u8)> {
    let mut kind = [0];
    from.read_exact(&mut kind)?;
    let length = number(from)?;
    let mut body = vec![0; length as usize - 4];
    from.read_exact(&mut body)?;
    to.write_all(&kind)?;
    to.write_all(&length.to_be_bytes())?;
    to.write_all(&body)?;
    Ok((kind[0], body.last().copied().unwrap_or_default()))
}

fn listen(database: &Database, folder: &Path) {
    std::fs::create_dir(folder).expect("a folder");
    let listener = UnixListener::bind(folder.join(".s.PGSQL.7777")).expect("a socket");
    let pool = Arc::new(Pool::new(database).expect("the server is there"));
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let pool = pool.clone();
            std::thread::spawn(move || pool.serve(client));
        }
    });
}

/// No lock holds there, so nothing runs.
#[test]
fn a_pooler_in_transaction_mode_is_refused_on_postgresql() {
    let database = Database::new();
    let place = place_on(&database);
    place.revision("aaaa", &[], &[], "CREATE TABLE t (a int);", "DROP TABLE t;");
    let folder = place.path("pool");
    listen(&database, &folder);
    let url = format!("postgresql:///{}?port=7777&host={}", database.name, folder.display());
    // To read is safe.
    place.must(&["current", "--url", &url]);
    let done = place.run(&["upgrade", "--url", &url]);
    done.failed_with(1, "database::connect");
    assert!(done.stderr.contains("pooler in transaction mode"), "{done:?}");
    assert_eq!(
        database.query("SELECT to_regclass('t') IS NULL AND to_regclass('sqlrev_revisions') IS NULL"),
        ["t"]
    );
    // Nor where several look at once; and no lock stays in the session.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                place
                    .run(&["upgrade", "--url", &url])
                    .failed_with(1, "database::connect");
            });
        }
    });
    assert_eq!(
        database.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"),
        ["0"]
    );
    // Options are not handed on there, so the session would not work in the schema.
    database.query("CREATE SCHEMA tenant");
    let done = place.run(&["upgrade", "--url", &format!("{url}&schema=tenant")]);
    done.failed_with(1, "connect::no_schema");
    assert!(done.stderr.contains("a pooler in between"), "{done:?}");
    // And without the pooler.
    place.must(&["upgrade"]);
}
