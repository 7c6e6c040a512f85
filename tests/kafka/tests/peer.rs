//! A peer written from `docs/wire.md` alone (§1, §2, §3, §15.1 and what §15.2 has without `postern_`): it shares no code with Postern, and
//! stands in for the programs on `ockam` up to 0.116, which can no longer be built.
//!
//! It polls: a thread of control sends one request and waits for its answer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use postern_testkit::TIMEOUT;

/// Where answers are sent to.
const OWN_ADDRESS: &[u8] = b"wire-peer";

/// A connection to a hub.
pub(crate) struct Peer {
    socket: TcpStream,
    next_request: u64,
}

/// A message: its routes as lists of local addresses, and its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) onward: Vec<Vec<u8>>,
    pub(crate) back: Vec<Vec<u8>>,
    pub(crate) payload: Vec<u8>,
}

/// What a service answers: data, and the address that it came from.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) data: Vec<u8>,
    pub(crate) from: Vec<Vec<u8>>,
}

/// Index and data of a record.
pub(crate) type Record = (u64, Vec<u8>);

impl Peer {
    /// Connects to a hub; each side sends the version without waiting for the other.
    pub(crate) fn connect(hub: SocketAddr) -> Self {
        let mut socket = TcpStream::connect(hub).expect("the hub takes connections");
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.write_all(&[1]).unwrap();
        let mut version = [0];
        socket.read_exact(&mut version).unwrap();
        assert_eq!(version, [1]);
        Self { socket, next_request: 1 }
    }

    /// Creates a stream, or finds it: its name and its address.
    ///
    /// # Errors
    /// The service's reason.
    pub(crate) fn create(&mut self, service: &str, name: Option<&str>) -> Result<(String, Vec<u8>), String> {
        let data = optional(name.map(str::as_bytes));
        let reply = self.ask(service.as_bytes(), "stream_create", &data)?;
        let mut input = &reply.data[..];
        let name = read_text(&mut input).expect("a name");
        Ok((name, reply.from.into_iter().next().expect("the stream's address")))
    }

    /// Creates a stream with partitions: their numbers and addresses.
    ///
    /// # Errors
    /// The service's reason.
    pub(crate) fn create_partitioned(
        &mut self,
        service: &str,
        name: &str,
        count: u64,
    ) -> Result<Vec<(u64, Vec<u8>)>, String> {
        let mut data = optional(Some(name.as_bytes()));
        push_uint(&mut data, count);
        self.send(service.as_bytes(), "stream_create_partitioned", &data);
        let mut partitions = Vec::new();
        for _ in 0..count {
            let reply = self.receive("stream_create_partitioned")?;
            let mut input = &reply.data[..];
            assert_eq!(read_text(&mut input).as_deref(), Some(name));
            partitions.push((read_uint(&mut input).unwrap(), reply.from[0].clone()));
        }
        Ok(partitions)
    }

    /// Appends a record: its index, or nothing if it was not stored.
    ///
    /// # Errors
    /// The service's reason.
    pub(crate) fn push(&mut self, stream: &[u8], record: &[u8]) -> Result<Option<u64>, String> {
        let request = self.number();
        let mut data = Vec::new();
        push_uint(&mut data, request);
        push_data(&mut data, record);
        let reply = self.ask(stream, "stream_push", &data)?;
        let mut input = &reply.data[..];
        let numbers = [(); 3].map(|()| read_uint(&mut input).expect("three numbers"));
        assert_eq!(numbers[0], request);
        Ok((numbers[1] == 0).then_some(numbers[2]))
    }

    /// Reads records.
    ///
    /// # Errors
    /// The service's reason.
    pub(crate) fn pull(&mut self, stream: &[u8], index: u64, limit: u64) -> Result<Vec<Record>, String> {
        let request = self.number();
        let mut data = Vec::new();
        [request, index, limit].into_iter().for_each(|number| push_uint(&mut data, number));
        let reply = self.ask(stream, "stream_pull", &data)?;
        let mut input = &reply.data[..];
        assert_eq!(read_uint(&mut input), Some(request));
        let count = read_uint(&mut input).expect("a count");
        let record = |_| Some((read_uint(&mut input)?, read_data(&mut input)?));
        Ok((0..count).map(record).collect::<Option<_>>().expect("records"))
    }

    /// A client's place in a stream.
    ///
    /// # Errors
    /// The service's reason.
    pub(crate) fn index(&mut self, service: &str, client: &str, stream: &str) -> Result<Option<u64>, String> {
        let mut data = vec![0];
        push_data(&mut data, client.as_bytes());
        push_data(&mut data, stream.as_bytes());
        let reply = self.ask(service.as_bytes(), "stream_index", &data)?;
        let mut input = &reply.data[..];
        assert_eq!(read_text(&mut input).as_deref(), Some(client));
        assert_eq!(read_text(&mut input).as_deref(), Some(stream));
        Ok(match input.split_first() {
            Some((1, mut rest)) => Some(read_uint(&mut rest).expect("an index")),
            Some((0, _)) => None,
            other => panic!("no optional: {other:?}"),
        })
    }

    /// Saves a client's place. It is not answered.
    pub(crate) fn save_index(&mut self, service: &str, client: &str, stream: &str, index: u64) {
        let mut data = vec![1];
        push_data(&mut data, client.as_bytes());
        push_data(&mut data, stream.as_bytes());
        push_uint(&mut data, index);
        self.send(service.as_bytes(), "stream_index", &data);
    }

    /// As [`index`](Self::index), of a partition.
    ///
    /// # Errors
    /// The service's reason.
    pub(crate) fn partition_index(
        &mut self,
        service: &str,
        client: &str,
        stream: &str,
        partition: u64,
    ) -> Result<Option<u64>, String> {
        let mut data = vec![0];
        push_data(&mut data, client.as_bytes());
        push_data(&mut data, stream.as_bytes());
        push_uint(&mut data, partition);
        let reply = self.ask(service.as_bytes(), "stream_index_partitioned", &data)?;
        let mut input = &reply.data[..];
        assert_eq!(read_text(&mut input).as_deref(), Some(client));
        assert_eq!(read_text(&mut input).as_deref(), Some(stream));
        assert_eq!(read_uint(&mut input), Some(partition));
        Ok(match input.split_first() {
            Some((1, mut rest)) => Some(read_uint(&mut rest).expect("an index")),
            _ => None,
        })
    }

    /// As [`save_index`](Self::save_index), of a partition.
    pub(crate) fn save_partition_index(
        &mut self,
        service: &str,
        client: &str,
        stream: &str,
        partition: u64,
        index: u64,
    ) {
        let mut data = vec![1];
        push_data(&mut data, client.as_bytes());
        push_data(&mut data, stream.as_bytes());
        push_uint(&mut data, partition);
        push_uint(&mut data, index);
        self.send(service.as_bytes(), "stream_index_partitioned", &data);
    }

    fn number(&mut self) -> u64 {
        self.next_request += 1;
        self.next_request
    }

    fn ask(&mut self, to: &[u8], protocol: &str, data: &[u8]) -> Result<Reply, String> {
        self.send(to, protocol, data);
        self.receive(protocol)
    }

    /// Sends a message in an envelope.
    pub(crate) fn send(&mut self, to: &[u8], protocol: &str, data: &[u8]) {
        let mut payload = Vec::new();
        push_data(&mut payload, protocol.as_bytes());
        push_data(&mut payload, data);
        let message = Message { onward: vec![to.to_vec()], back: vec![OWN_ADDRESS.to_vec()], payload };
        write_frame(&mut self.socket, &message).expect("the hub reads");
    }

    /// The next answer in this protocol.
    fn receive(&mut self, protocol: &str) -> Result<Reply, String> {
        let message = read_frame(&mut self.socket).expect("the hub answers in time");
        assert_eq!(message.onward, [OWN_ADDRESS.to_vec()]);
        let mut input = &message.payload[..];
        let said = read_text(&mut input).expect("a protocol");
        let data = read_data(&mut input).expect("data");
        if said == "error" {
            return Err(read_text(&mut &data[..]).expect("a reason"));
        }
        assert_eq!(said, protocol, "{data:?}");
        Ok(Reply { data, from: message.back })
    }
}

/// §15.1: version, the two routes, the payload.
pub(crate) fn record(message: &Message) -> Vec<u8> {
    let mut bytes = vec![1];
    for route in [&message.onward, &message.back] {
        push_uint(&mut bytes, route.len() as u64);
        for address in route {
            bytes.push(0);
            push_data(&mut bytes, address);
        }
    }
    push_data(&mut bytes, &message.payload);
    bytes
}

/// Reads §15.1.
pub(crate) fn read_record(bytes: &[u8]) -> Option<Message> {
    let (1, mut input) = bytes.split_first()? else { return None };
    let mut route = || {
        let count = read_uint(&mut input)?;
        let address = |_| {
            let (0, rest) = input.split_first()? else { return None };
            input = rest;
            read_data(&mut input)
        };
        (0..count).map(address).collect::<Option<Vec<_>>>()
    };
    let (onward, back) = (route()?, route()?);
    Some(Message { onward, back, payload: read_data(&mut input)? })
}

fn optional(value: Option<&[u8]>) -> Vec<u8> {
    let mut out = vec![u8::from(value.is_some())];
    value.inspect(|value| push_data(&mut out, value));
    out
}

fn push_uint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn push_data(out: &mut Vec<u8>, data: &[u8]) {
    push_uint(out, data.len() as u64);
    out.extend_from_slice(data);
}

fn read_uint(input: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn read_data(input: &mut &[u8]) -> Option<Vec<u8>> {
    let length = usize::try_from(read_uint(input)?).ok()?;
    let (data, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(data.to_vec())
}

fn read_text(input: &mut &[u8]) -> Option<String> {
    String::from_utf8(read_data(input)?).ok()
}

/// §3: the length, then CBOR `[onward route, return route, payload, tracing context]`.
pub(crate) fn write_frame(to: &mut impl Write, message: &Message) -> io::Result<()> {
    let mut frame = vec![0x84];
    for route in [&message.onward, &message.back] {
        push_head(&mut frame, 4, route.len());
        for address in route {
            frame.extend([0x82, 0x00]);
            push_head(&mut frame, 2, address.len());
            frame.extend_from_slice(address);
        }
    }
    push_head(&mut frame, 2, message.payload.len());
    frame.extend_from_slice(&message.payload);
    frame.extend(*b"\x62{}");
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    to.write_all(&[&length.to_be_bytes()[..], &frame].concat())
}

/// Reads §3; what is behind the payload is ignored.
pub(crate) fn read_frame(from: &mut impl Read) -> io::Result<Message> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    from.read_exact(&mut frame)?;
    read_message(&frame).ok_or_else(|| io::Error::other("not a message"))
}

fn read_message(mut frame: &[u8]) -> Option<Message> {
    let input = &mut frame;
    read_head(input, 4)?;
    let (onward, back) = (read_route(input)?, read_route(input)?);
    Some(Message { onward, back, payload: read_bytes(input)? })
}

fn read_route(input: &mut &[u8]) -> Option<Vec<Vec<u8>>> {
    let count = read_head(input, 4)?;
    let address = |_| {
        read_head(input, 4)?;
        read_head(input, 0)?;
        read_bytes(input)
    };
    (0..count).map(address).collect()
}

fn read_bytes(input: &mut &[u8]) -> Option<Vec<u8>> {
    let length = read_head(input, 2)?;
    let (bytes, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(bytes.to_vec())
}

/// CBOR: the major type and its number, in shortest form.
fn push_head(out: &mut Vec<u8>, major: u8, number: usize) {
    let major = major << 5;
    match number {
        0..24 => out.push(major | number as u8),
        24..0x100 => out.extend([major | 24, number as u8]),
        0x100..0x1_0000 => out.extend([&[major | 25][..], &(number as u16).to_be_bytes()].concat()),
        _ => out.extend([&[major | 26][..], &(number as u32).to_be_bytes()].concat()),
    }
}

fn read_head(input: &mut &[u8], major: u8) -> Option<usize> {
    let (first, rest) = input.split_first()?;
    let size = match first & 0x1f {
        0..24 => 0,
        24 => 1,
        25 => 2,
        26 => 4,
        _ => return None,
    };
    let (number, rest) = rest.split_at_checked(size)?;
    *input = rest;
    let number = number.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    (first >> 5 == major).then_some(if size == 0 { usize::from(first & 0x1f) } else { number })
}

#[test]
fn the_peer_writes_the_samples_of_the_specification() {
    let mut frame = Vec::new();
    let message =
        Message { onward: vec![b"echoer".to_vec()], back: vec![b"app".to_vec()], payload: b"\x05hello".to_vec() };
    write_frame(&mut frame, &message).unwrap();
    let sample = b"\x00\x00\x00\x1c\x84\x81\x82\x00\x46echoer\x81\x82\x00\x43app\x46\x05hello\x62{}";
    assert_eq!(frame, sample);
    assert_eq!(read_frame(&mut &frame[..]).unwrap(), message);
    assert_eq!(read_record(&record(&message)).unwrap(), message);
}
