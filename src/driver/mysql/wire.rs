//! Packets of MySQL's client protocol, over TCP, a Unix socket or TLS.

use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;

use rustls::{ClientConnection, StreamOwned};

/// The most bytes of one packet; what is longer goes in several.
const LONGEST: usize = 0xff_ffff;
/// The most bytes that the buffer of answers keeps for the next one.
const KEPT: usize = 64 << 10;

/// What the bytes go over.
pub(super) enum Stream {
    /// A socket of the network.
    Tcp(TcpStream),
    /// A socket of this machine.
    #[cfg(unix)]
    Unix(UnixStream),
    /// TLS over a socket of the network.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            #[cfg(unix)]
            Self::Unix(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// A connection as packets.
pub(super) struct Wire {
    stream: BufReader<Stream>,
    /// The number of the next packet of an exchange.
    sequence: u8,
    /// The packet that was read last.
    packet: Vec<u8>,
    /// What is written next, with its headers.
    out: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream: BufReader::with_capacity(16 << 10, stream),
            sequence: 0,
            packet: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Changes what the bytes go over, in the middle of the greeting: nothing is on its way then.
    pub(super) fn over(self, change: impl FnOnce(Stream) -> io::Result<Stream>) -> io::Result<Self> {
        let mut wire = Self::new(change(self.stream.into_inner())?);
        wire.sequence = self.sequence;
        Ok(wire)
    }

    /// Whether nobody on the way can read what is sent.
    pub(super) fn is_private(&self) -> bool {
        !matches!(self.stream.get_ref(), Stream::Tcp(_))
    }

    /// What to wait for an answer at the most.
    pub(super) fn patience(&self, longest: Option<std::time::Duration>) -> io::Result<()> {
        match self.stream.get_ref() {
            Stream::Tcp(stream) => stream.set_read_timeout(longest),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.set_read_timeout(longest),
            Stream::Tls(stream) => stream.sock.set_read_timeout(longest),
        }
    }

    /// Reads the next packet.
    pub(super) fn read(&mut self) -> io::Result<&[u8]> {
        if self.packet.capacity() > KEPT {
            self.packet = Vec::new();
        }
        self.packet.clear();
        loop {
            let mut head = [0; 4];
            self.stream.read_exact(&mut head)?;
            let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
            self.sequence = head[3].wrapping_add(1);
            let start = self.packet.len();
            self.packet.resize(start + length, 0);
            self.stream.read_exact(&mut self.packet[start..])?;
            if length < LONGEST {
                return Ok(&self.packet);
            }
        }
    }

    /// Writes an answer in the exchange that is going on.
    pub(super) fn answer(&mut self, payload: &[u8]) -> io::Result<()> {
        self.put(&[], payload);
        self.send()
    }

    /// Adds a command, which begins an exchange of its own, to what [`Wire::send`] sends.
    pub(super) fn command(&mut self, command: u8, payload: &[u8]) {
        self.sequence = 0;
        self.put(&[command], payload);
    }

    /// Sends what was added.
    pub(super) fn send(&mut self) -> io::Result<()> {
        let stream = self.stream.get_mut();
        let sent = stream.write_all(&self.out).and_then(|()| stream.flush());
        if self.out.capacity() > 2 * KEPT {
            self.out = Vec::new();
        }
        self.out.clear();
        sent
    }

    fn put(&mut self, first: &[u8], payload: &[u8]) {
        let mut room = LONGEST - first.len();
        let mut rest = payload;
        let mut before = first;
        loop {
            let (part, more) = rest.split_at(rest.len().min(room));
            let length = u32::try_from(before.len() + part.len()).unwrap_or_default();
            self.out.extend_from_slice(&length.to_le_bytes()[..3]);
            self.out.push(self.sequence);
            self.out.extend_from_slice(before);
            self.out.extend_from_slice(part);
            self.sequence = self.sequence.wrapping_add(1);
            // A packet that is full tells that another one follows.
            if part.len() < room {
                return;
            }
            (rest, before, room) = (more, &[], LONGEST);
        }
    }
}

/// Reads the parts of a packet, in order.
pub(super) struct Parts<'p>(pub &'p [u8]);

impl<'p> Parts<'p> {
    pub(super) fn bytes(&mut self, count: usize) -> io::Result<&'p [u8]> {
        if count > self.0.len() {
            return Err(short());
        }
        let (part, rest) = self.0.split_at(count);
        self.0 = rest;
        Ok(part)
    }

    pub(super) fn byte(&mut self) -> io::Result<u8> {
        Ok(self.bytes(1)?[0])
    }

    pub(super) fn short(&mut self) -> io::Result<u16> {
        let bytes = self.bytes(2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn long(&mut self) -> io::Result<u32> {
        let bytes = self.bytes(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// What stands before the next zero.
    pub(super) fn until_zero(&mut self) -> &'p [u8] {
        let length = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        let part = &self.0[..length];
        self.0 = self.0.get(length + 1..).unwrap_or_default();
        part
    }

    /// A number whose first byte tells its length; none for NULL.
    pub(super) fn number(&mut self) -> io::Result<Option<u64>> {
        let wide = match self.byte()? {
            0xfb => return Ok(None),
            0xfc => 2,
            0xfd => 3,
            0xfe => 8,
            small => return Ok(Some(u64::from(small))),
        };
        let bytes = self.bytes(wide)?;
        Ok(Some(
            bytes.iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte)),
        ))
    }

    /// Bytes after their number; none for NULL.
    pub(super) fn counted(&mut self) -> io::Result<Option<&'p [u8]>> {
        match self.number()? {
            Some(count) => self.bytes(usize::try_from(count).map_err(|_| short())?).map(Some),
            None => Ok(None),
        }
    }
}

fn short() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a packet of the server is too short")
}

#[cfg(test)]
mod tests {
    use super::Parts;

    #[test]
    fn numbers_and_texts_are_read() {
        let mut parts = Parts(&[5, 0xfc, 1, 2, 0xfb, 2, b'h', b'i', 0xfd, 1, 0, 0]);
        assert_eq!(parts.number().unwrap(), Some(5));
        assert_eq!(parts.number().unwrap(), Some(513));
        assert_eq!(parts.counted().unwrap(), None);
        assert_eq!(parts.counted().unwrap(), Some(&b"hi"[..]));
        assert_eq!(parts.number().unwrap(), Some(1));
        assert!(parts.byte().is_err());
        assert!(Parts(&[9, 1]).counted().is_err());
        assert_eq!(Parts(b"ab\0c").until_zero(), b"ab");
    }
}
