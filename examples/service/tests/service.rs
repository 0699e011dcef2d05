//! The service on a server that `SQLREV_TEST_POSTGRES_URL` names; `scripts/test` starts one.

use std::error::Error;

use sqlrev::Migrator;
use sqlrev::dialect::postgres::Postgres;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::NoTls;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// A database of this test's own.
async fn database() -> Result<String, Box<dyn Error + Send + Sync>> {
    let url = std::env::var("SQLREV_TEST_POSTGRES_URL").map_err(|_| "scripts/test starts a server for this")?;
    let name = format!("service_{}", std::process::id());
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await?;
    client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
    Ok(url.replacen("/postgres?", &format!("/{name}?"), 1))
}

async fn ask(port: u16, request: &str, body: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let head = format!("{request} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Type: application/json\r\n");
    let whole = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(whole.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn several_services_start_at_once_and_answer() -> Outcome {
    let url = database().await?;
    let started: Vec<_> = (0..4)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { service::start(&url).await })
        })
        .collect();
    let mut app = None;
    for service in started {
        app = Some(service.await??);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move { axum::serve(listener, app.expect("four were started")).await });
    let added = ask(port, "POST /notes", r#"{"body":"hello"}"#).await?;
    assert!(added.starts_with("HTTP/1.1 201"), "{added}");
    assert!(ask(port, "GET /notes", "").await?.ends_with(r#"[{"body":"hello"}]"#));
    assert!(ask(port, "GET /health", "").await?.ends_with("up to date"));
    // Straight from an async function, without a thread of its own, it blocks, and works all the same.
    let migrator = Migrator::from_folder_for(&Postgres, "migrations")?;
    let mut db = migrator.connect(&url)?;
    migrator.downgrade(&mut *db, "-1")?;
    assert!(ask(port, "GET /health", "").await?.starts_with("HTTP/1.1 503"));
    assert!(migrator.connect("postgresql://nobody@127.0.0.1:1/nothing").is_err());
    Ok(())
}
