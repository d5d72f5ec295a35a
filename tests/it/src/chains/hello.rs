//! The first bytes of a TLS client.

/// A ClientHello with these extensions, in one record.
pub fn client_hello(server_name: Option<&str>, protocols: &[&str]) -> Vec<u8> {
    let mut extensions = extension(43, &[2, 3, 4]);
    if let Some(name) = server_name {
        let entry = [&[0][..], &vec16(name.as_bytes())].concat();
        extensions.extend(extension(0, &vec16(&entry)));
    }
    if !protocols.is_empty() {
        let name = |name: &&str| [&[name.len() as u8][..], name.as_bytes()].concat();
        let names: Vec<u8> = protocols.iter().flat_map(name).collect();
        extensions.extend(extension(16, &vec16(&names)));
    }
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    body.extend(vec16(&extensions));
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[1][..], &length[1..], &body].concat();
    [&[22, 3, 1][..], &vec16(&message)].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vec16(data)].concat()
}

fn vec16(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [&length.to_be_bytes()[..], data].concat()
}
