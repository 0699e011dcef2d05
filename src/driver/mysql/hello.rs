//! The greeting: what the server is, TLS where it is wanted, and who we are.

use std::io;
use std::sync::Arc;

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::driver::mysql::fault::Trouble;
use crate::driver::mysql::wire::{Parts, Stream, Wire};

const LONG_PASSWORD: u32 = 1;
const LONG_FLAG: u32 = 1 << 2;
const CONNECT_WITH_DB: u32 = 1 << 3;
const PROTOCOL_41: u32 = 1 << 9;
const SSL: u32 = 1 << 11;
const TRANSACTIONS: u32 = 1 << 13;
const SECURE_CONNECTION: u32 = 1 << 15;
const MULTI_STATEMENTS: u32 = 1 << 16;
const MULTI_RESULTS: u32 = 1 << 17;
const PLUGIN_AUTH: u32 = 1 << 19;
const CONNECT_ATTRIBUTES: u32 = 1 << 20;

/// `utf8mb4_general_ci`, which every server knows.
const UTF8MB4: u8 = 45;
/// The longest packet that we take.
const PACKET: u32 = 1 << 30;

/// Who we are.
#[derive(Clone)]
pub(super) struct Identity {
    pub user: String,
    pub password: String,
    pub database: String,
}

/// How much of TLS is asked for, and what it is made with.
#[derive(Clone)]
pub(super) enum Security {
    /// None.
    Plain,
    /// Where the server has it.
    Wanted(Arc<ClientConfig>, String),
    /// In any case.
    Needed(Arc<ClientConfig>, String),
}

/// What the server said of itself.
struct Server {
    capabilities: u32,
    plugin: String,
    seed: Vec<u8>,
}

/// Greets the server over a new stream. Returns the connection and the number that the server gave it.
pub(super) fn greet(stream: Stream, identity: &Identity, security: &Security) -> Result<(Wire, u32), Trouble> {
    let mut wire = Wire::new(stream);
    let (server, id) = read_hello(wire.read()?)?;
    let has_tls = server.capabilities & SSL != 0 && !wire.is_private();
    let tls = match security {
        Security::Plain => None,
        _ if wire.is_private() => None,
        Security::Wanted(..) if !has_tls => None,
        Security::Needed(..) if !has_tls => return Err(Trouble::NoTls),
        Security::Wanted(config, host) | Security::Needed(config, host) => Some((config, host)),
    };
    let flags = flags(&server, identity, tls.is_some());
    if let Some((config, host)) = tls {
        wire.answer(&opening(flags))?;
        wire = wire
            .over(|stream| secured(stream, config, host))
            .map_err(Trouble::Tls)?;
    }
    let plugin = if knows(&server.plugin) {
        server.plugin.as_str()
    } else {
        NATIVE
    };
    let answer = first_answer(plugin, &identity.password, &server.seed, &wire);
    let mut login = opening(flags);
    login.extend_from_slice(identity.user.as_bytes());
    login.push(0);
    login.push(u8::try_from(answer.len()).unwrap_or_default());
    login.extend_from_slice(&answer);
    if flags & CONNECT_WITH_DB != 0 {
        login.extend_from_slice(identity.database.as_bytes());
        login.push(0);
    }
    login.extend_from_slice(plugin.as_bytes());
    login.push(0);
    if flags & CONNECT_ATTRIBUTES != 0 {
        let attributes = b"\x0cprogram_name\x06sqlrev";
        login.push(u8::try_from(attributes.len()).unwrap_or_default());
        login.extend_from_slice(attributes);
    }
    // A fault of the certificate comes to light with the first bytes.
    wire.answer(&login).map_err(broken(tls.is_some()))?;
    log_in(&mut wire, identity, plugin.to_owned(), tls.is_some())?;
    Ok((wire, id))
}

fn broken(secured: bool) -> impl Fn(io::Error) -> Trouble {
    move |error| {
        let is_tls = error
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>);
        if secured && is_tls {
            Trouble::Tls(error)
        } else {
            Trouble::Io(error)
        }
    }
}

fn read_hello(packet: &[u8]) -> Result<(Server, u32), Trouble> {
    let mut parts = Parts(packet);
    let version = parts.byte()?;
    if version == 0xff {
        return Err(Trouble::said(packet));
    }
    if version != 10 {
        return Err(Trouble::Strange("it does not speak the protocol of MySQL".to_owned()));
    }
    parts.until_zero();
    let id = parts.long()?;
    let mut seed = parts.bytes(8)?.to_vec();
    parts.byte()?;
    let low = u32::from(parts.short()?);
    parts.byte()?;
    parts.short()?;
    let capabilities = low | u32::from(parts.short()?) << 16;
    let length = usize::from(parts.byte()?);
    parts.bytes(10)?;
    if capabilities & PROTOCOL_41 == 0 || capabilities & SECURE_CONNECTION == 0 {
        return Err(Trouble::Strange("the server is too old".to_owned()));
    }
    let rest = parts.bytes(length.saturating_sub(8).max(13))?;
    seed.extend_from_slice(rest.strip_suffix(&[0]).unwrap_or(rest));
    let plugin = if capabilities & PLUGIN_AUTH == 0 {
        NATIVE.to_owned()
    } else {
        String::from_utf8_lossy(parts.until_zero()).into_owned()
    };
    let server = Server {
        capabilities,
        plugin,
        seed,
    };
    Ok((server, id))
}

fn flags(server: &Server, identity: &Identity, tls: bool) -> u32 {
    let mut flags = LONG_PASSWORD
        | LONG_FLAG
        | PROTOCOL_41
        | TRANSACTIONS
        | SECURE_CONNECTION
        | MULTI_STATEMENTS
        | MULTI_RESULTS
        | PLUGIN_AUTH
        | server.capabilities & CONNECT_ATTRIBUTES;
    if tls {
        flags |= SSL;
    }
    if !identity.database.is_empty() {
        flags |= CONNECT_WITH_DB;
    }
    flags
}

/// What both the request for TLS and the login begin with.
fn opening(flags: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(&flags.to_le_bytes());
    out.extend_from_slice(&PACKET.to_le_bytes());
    out.push(UTF8MB4);
    out.extend_from_slice(&[0; 23]);
    out
}

fn secured(stream: Stream, config: &Arc<ClientConfig>, host: &str) -> io::Result<Stream> {
    let Stream::Tcp(mut tcp) = stream else {
        return Ok(stream);
    };
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut session = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut tcp)?;
    }
    Ok(Stream::Tls(Box::new(StreamOwned::new(session, tcp))))
}

const NATIVE: &str = "mysql_native_password";
const CACHING: &str = "caching_sha2_password";
const CLEAR: &str = "mysql_clear_password";
/// Ways in which the server asks the system who we are.
const BY_SOCKET: [&str; 2] = ["unix_socket", "auth_socket"];

fn knows(plugin: &str) -> bool {
    [NATIVE, CACHING].contains(&plugin)
}

fn first_answer(plugin: &str, password: &str, seed: &[u8], wire: &Wire) -> Vec<u8> {
    match plugin {
        _ if password.is_empty() => Vec::new(),
        NATIVE => native(password, seed),
        CACHING => caching(password, seed),
        CLEAR if wire.is_private() => [password.as_bytes(), &[0]].concat(),
        _ => Vec::new(),
    }
}

/// Answers until the server lets us in, or says why not.
fn log_in(wire: &mut Wire, identity: &Identity, mut plugin: String, secured: bool) -> Result<(), Trouble> {
    loop {
        let packet = wire.read().map_err(broken(secured))?;
        let mut parts = Parts(packet);
        match parts.byte()? {
            0 => return Ok(()),
            0xff => return Err(Trouble::said(packet)),
            0xfe => {
                if packet.len() == 1 {
                    return Err(Trouble::Plugin("mysql_old_password".to_owned()));
                }
                plugin = String::from_utf8_lossy(parts.until_zero()).into_owned();
                let seed = parts.0.strip_suffix(&[0]).unwrap_or(parts.0).to_vec();
                let known = knows(&plugin) || BY_SOCKET.contains(&plugin.as_str());
                let clear = plugin == CLEAR;
                if clear && !wire.is_private() {
                    return Err(Trouble::Open);
                }
                if !known && !clear {
                    return Err(Trouble::Plugin(plugin));
                }
                let answer = first_answer(&plugin, &identity.password, &seed, wire);
                wire.answer(&answer)?;
            }
            // `caching_sha2_password`: it knows the password, or wants to see it.
            1 if plugin == CACHING => match parts.byte()? {
                3 => {}
                4 if wire.is_private() => {
                    let answer = [identity.password.as_bytes(), &[0]].concat();
                    wire.answer(&answer)?;
                }
                4 => return Err(Trouble::Open),
                _ => return Err(Trouble::Plugin(plugin)),
            },
            _ => return Err(Trouble::Plugin(plugin)),
        }
    }
}

fn sha1(parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}

/// `mysql_native_password`: SHA1(password) xor SHA1(seed, SHA1(SHA1(password))).
fn native(password: &str, seed: &[u8]) -> Vec<u8> {
    let once = sha1(&[password.as_bytes()]);
    let twice = sha1(&[&once]);
    xor(&once, &sha1(&[&seed[..seed.len().min(20)], &twice]))
}

/// `caching_sha2_password`: SHA256(password) xor SHA256(SHA256(SHA256(password)), seed).
fn caching(password: &str, seed: &[u8]) -> Vec<u8> {
    let once = sha256(&[password.as_bytes()]);
    let twice = sha256(&[&once]);
    xor(&once, &sha256(&[&twice, &seed[..seed.len().min(20)]]))
}

#[cfg(test)]
mod tests {
    use super::{caching, native};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What the server checks: that from the answer and its own hash follows the hash of the password.
    #[test]
    fn an_answer_gives_the_hash_away_only_to_those_who_have_it() {
        let seed = b"01234567890123456789";
        let stored = super::sha1(&[&super::sha1(&[b"secret"])]);
        let once = super::xor(&native("secret", seed), &super::sha1(&[seed, &stored]));
        assert_eq!(super::sha1(&[&once]), stored);
        let stored = super::sha256(&[&super::sha256(&[b"secret"])]);
        let once = super::xor(&caching("secret", seed), &super::sha256(&[&stored, seed]));
        assert_eq!(super::sha256(&[&once]), stored);
        assert_eq!(
            hex(&super::sha1(&[b"a", b"bc"])),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
    }
}
