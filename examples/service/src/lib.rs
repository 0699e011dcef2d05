//! A service that keeps notes. Its database is up to date before it listens, however many of it start at once.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sqlrev::{Driver, Migrator, Status};
use tokio::task::spawn_blocking;
use tokio_postgres::{Client, NoTls};

pub type BoxError = Box<dyn Error + Send + Sync>;

struct App {
    client: Client,
    migrator: Arc<Migrator>,
    /// The connection of the migrations, which tells whether the database is still the one for this release.
    db: Arc<Mutex<Box<dyn Driver>>>,
}

/// Brings the database up to date and gives back what answers requests.
pub async fn start(url: &str) -> Result<Router, BoxError> {
    let migrator = Arc::new(Migrator::new(sqlrev::embedded!()));
    let (its, place) = (Arc::clone(&migrator), url.to_owned());
    // Migrations block, so they run on a thread for that; the runtime goes on.
    let db = spawn_blocking(move || {
        let mut db = its.connect(&place)?;
        its.upgrade(&mut *db)?;
        Ok::<_, sqlrev::Error>(db)
    })
    .await??;
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    let app = App {
        client,
        migrator,
        db: Arc::new(Mutex::new(db)),
    };
    Ok(Router::new()
        .route("/notes", get(list).post(add))
        .route("/health", get(health))
        .with_state(Arc::new(app)))
}

#[derive(Serialize, Deserialize)]
struct Note {
    body: String,
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<Note>>, StatusCode> {
    let rows = app.client.query("SELECT body FROM notes ORDER BY id", &[]).await;
    let rows = rows.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Json(rows.iter().map(|row| Note { body: row.get(0) }).collect()))
}

async fn add(State(app): State<Arc<App>>, Json(note): Json<Note>) -> Result<StatusCode, StatusCode> {
    let added = app.client.execute("INSERT INTO notes (body) VALUES ($1)", &[&note.body]).await;
    added.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(StatusCode::CREATED)
}

/// A newer release may have changed the database under this one.
async fn health(State(app): State<Arc<App>>) -> Result<&'static str, StatusCode> {
    let (migrator, db) = (Arc::clone(&app.migrator), Arc::clone(&app.db));
    let status = spawn_blocking(move || {
        let mut db = db.lock().unwrap_or_else(PoisonError::into_inner);
        migrator.status(&mut **db)
    });
    match status.await {
        Ok(Ok(Status::UpToDate)) => Ok("up to date"),
        Ok(Ok(Status::Ahead { .. })) => Ok("a newer release was here"),
        _ => Err(StatusCode::SERVICE_UNAVAILABLE),
    }
}
