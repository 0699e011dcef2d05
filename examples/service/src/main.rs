//! Listens on port 3000, or on the port that is named: `DATABASE_URL=postgresql://… service 8080`.

use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let url = std::env::var("DATABASE_URL")?;
    let port = std::env::args().nth(1).map_or(Ok(3000), |port| port.parse::<u16>())?;
    let app = service::start(&url).await?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, app).await?;
    Ok(())
}
