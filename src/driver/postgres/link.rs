//! The connection and the little runtime that drives it: synchronous outside, asynchronous inside.
//!
//! One thread does everything. A call polls the connection and its own future together until the future is done; between
//! calls nothing runs. Called from within a runtime of the application's, it waits on a thread of its own instead, since
//! a runtime cannot be entered twice.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::stream::{self, Stream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, Error, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::driver::postgres::fault;
use crate::driver::postgres::watch::Watch;
use crate::driver::{DriverError, Failure, Phase};

/// Why parts of a link are there.
const HERE: &str = "it is there until the link is dropped";

type Messages = Pin<Box<dyn Stream<Item = Result<AsyncMessage, Error>> + Send>>;

/// The pause between two looks whether a wait is to end.
const LOOK: Duration = Duration::from_millis(50);

/// How long a server may take to let somebody in, and what ends the wait before.
#[derive(Clone, Copy)]
pub(super) struct Wait<'a> {
    pub(super) longest: Option<Duration>,
    pub(super) cancelled: &'a AtomicBool,
}

/// Why a link was not opened.
pub(super) enum Unopened {
    /// The server or the system said so.
    Failed(Error),
    /// Nobody said anything for so long.
    Silent(Duration),
    /// The wait was cancelled.
    Cancelled,
}

impl Unopened {
    /// As an error of a statement.
    pub(super) fn failed(&self) -> DriverError {
        match self {
            Self::Failed(error) => fault::failed(error, "", false),
            Self::Silent(waited) => DriverError {
                failure: Failure::Lost,
                ..DriverError::new(no_answer(*waited))
            },
            Self::Cancelled => DriverError {
                failure: Failure::Interrupted,
                ..DriverError::new("interrupted")
            },
        }
    }
}

pub(super) fn no_answer(waited: Duration) -> String {
    format!("no answer within {} s", waited.as_secs())
}

/// A connection.
pub(super) struct Link {
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    /// Likewise.
    client: Option<Client>,
    wire: Wire,
    watch: Option<Watch>,
    /// Whether backslashes in plain texts mean nothing, as the server told at the beginning.
    pub(super) standard_strings: bool,
    /// Whether the server takes what is sent for another encoding than UTF-8.
    garbles: Arc<AtomicBool>,
}

/// What comes over the connection beside answers.
struct Wire {
    /// None once the connection is gone.
    messages: Option<Messages>,
    /// Why it is gone, where the server or the system said so.
    broken: Option<Error>,
    notices: Vec<String>,
}

impl Link {
    /// Connects.
    pub(super) fn open<T>(config: &Config, tls: T, limits: Wait<'_>) -> Result<Self, Unopened>
    where
        T: MakeTlsConnect<Socket> + Send,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as tokio_postgres::tls::TlsConnect<Socket>>::Future: Send,
    {
        let runtime = runtime();
        let (client, mut connection) = match wait(&runtime, in_time(config.connect(tls), limits)) {
            Ok(connected) => connected,
            Err(error) => {
                // As when the link is dropped: it may be inside another runtime.
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let standard_strings = connection.parameter("standard_conforming_strings") != Some("off");
        let garbles = Arc::new(AtomicBool::new(false));
        let told = garbles.clone();
        let messages = Box::pin(stream::poll_fn(move |cx: &mut Context<'_>| {
            let message = connection.poll_message(cx);
            told.store(
                connection.parameter("client_encoding") != Some("UTF8"),
                Ordering::Relaxed,
            );
            message
        }));
        Ok(Self {
            runtime: Some(runtime),
            client: Some(client),
            standard_strings,
            garbles,
            watch: None,
            wire: Wire {
                messages: Some(messages),
                broken: None,
                notices: Vec::new(),
            },
        })
    }

    /// Runs what `make` makes of the client to its end.
    pub(super) fn run<'l, T, F>(&'l mut self, make: impl FnOnce(&'l Client) -> F) -> Result<T, Error>
    where
        T: Send,
        F: Future<Output = Result<T, Error>> + Send,
    {
        let Self {
            runtime,
            client,
            wire,
            watch,
            ..
        } = self;
        let future = make(client.as_ref().expect(HERE));
        let both = async {
            let mut future = pin!(future);
            let mut watching = pin!(async {
                match watch {
                    Some(watch) => watch.look().await,
                    None => std::future::pending().await,
                }
            });
            poll_fn(|cx| {
                wire.poll(cx);
                // It never ends by itself.
                let _ = watching.as_mut().poll(cx);
                future.as_mut().poll(cx)
            })
            .await
        };
        let runtime = runtime.as_ref().expect(HERE);
        let done = wait(runtime, both);
        match done {
            // The connection knows better than the answer why there is none.
            Err(error) if error.is_closed() => Err(self.wire.broken.take().unwrap_or(error)),
            done => done,
        }
    }

    /// Whether the server would read another text than this one.
    pub(super) fn garbles(&self, text: &str) -> bool {
        self.garbles.load(Ordering::Relaxed) && !text.is_ascii()
    }

    /// Whether the connection is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.wire.messages.is_none() || self.client().is_closed()
    }

    pub(super) fn client(&self) -> &Client {
        self.client.as_ref().expect(HERE)
    }

    /// Lets somebody look who stands in the way, once the process of the session is known.
    pub(super) fn watch_with(&mut self, config: Config, connector: Option<MakeRustlsConnect>) {
        self.watch = Some(Watch::new(config, connector));
    }

    pub(super) fn is_process(&mut self, process: Option<i32>) {
        if let Some(watch) = &mut self.watch {
            watch.process = process;
        }
    }

    /// Lets the other connection ask this while statements run.
    pub(super) fn follow(&mut self, query: Option<&'static str>) -> Option<Arc<Phase>> {
        let watch = self.watch.as_mut()?;
        watch.followed = query.map(|query| (query, Arc::default()));
        watch.followed.as_ref().map(|(_, phase)| phase.clone())
    }

    /// Who stood in the way of the last statement.
    pub(super) fn blockers(&mut self) -> Vec<String> {
        self.watch
            .as_mut()
            .map(|watch| std::mem::take(&mut watch.blockers))
            .unwrap_or_default()
    }

    /// The server's notices since this was asked last.
    pub(super) fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.wire.notices)
    }
}

impl Wire {
    /// Moves everything that can move.
    fn poll(&mut self, cx: &mut Context<'_>) {
        while let Some(messages) = &mut self.messages {
            match messages.as_mut().poll_next(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(AsyncMessage::Notice(notice)))) => {
                    self.notices.push(fault::notice(&notice));
                }
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => {
                    self.broken = Some(error);
                    self.messages = None;
                }
                Poll::Ready(None) => self.messages = None,
            }
        }
    }
}

impl Drop for Link {
    /// Says goodbye to the server, and lets the runtime go without waiting: it may be dropped inside another one.
    fn drop(&mut self) {
        drop(self.client.take());
        let Some(runtime) = self.runtime.take() else { return };
        let wire = &mut self.wire;
        if wire.messages.is_some() {
            let goodbye = poll_fn(|cx| {
                wire.poll(cx);
                Poll::Ready(())
            });
            wait(&runtime, goodbye);
        }
        runtime.shutdown_background();
    }
}

/// Ends the wait for a connection in time.
async fn in_time<T>(connecting: impl Future<Output = Result<T, Error>>, limits: Wait<'_>) -> Result<T, Unopened> {
    let mut connecting = pin!(connecting);
    let started = Instant::now();
    loop {
        if let Ok(done) = timeout(LOOK, connecting.as_mut()).await {
            return done.map_err(Unopened::Failed);
        }
        if limits.cancelled.load(Ordering::Relaxed) {
            return Err(Unopened::Cancelled);
        }
        if let Some(longest) = limits.longest.filter(|longest| started.elapsed() >= *longest) {
            return Err(Unopened::Silent(longest));
        }
    }
}

/// A runtime for one connection.
pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the system lets a process watch its sockets")
}

/// Waits for a future, wherever this is called.
pub(super) fn wait<T: Send>(runtime: &Runtime, future: impl Future<Output = T> + Send) -> T {
    if Handle::try_current().is_err() {
        return runtime.block_on(future);
    }
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| runtime.block_on(future));
        match waiting.join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
