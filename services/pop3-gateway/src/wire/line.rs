//! Cutting lines out of what was received.

use bytes::BytesMut;

/// A line is longer than permitted; what follows cannot be trusted to start a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line too long")]
pub struct LineTooLong;

/// Takes the next whole line, without its line end; `None` until one is there.
///
/// Lines end with CRLF; a lone LF is taken too (no message ever travels from client to server in POP3, so it cannot
/// hide anything).
///
/// # Errors
/// [`LineTooLong`] if the line, its end included, has more than `limit` octets.
pub fn next_line(buffer: &mut BytesMut, limit: usize) -> Result<Option<BytesMut>, LineTooLong> {
    let Some(end) = memchr::memchr(b'\n', buffer) else {
        return if buffer.len() >= limit { Err(LineTooLong) } else { Ok(None) };
    };
    if end >= limit {
        return Err(LineTooLong);
    }
    let mut line = buffer.split_to(end + 1);
    line.truncate(end);
    if line.last() == Some(&b'\r') {
        line.truncate(end - 1);
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_and_in_order() {
        let mut buffer = BytesMut::from("NOOP\r\nSTAT\nQU");
        assert_eq!(next_line(&mut buffer, 255).unwrap().unwrap(), "NOOP");
        assert_eq!(next_line(&mut buffer, 255).unwrap().unwrap(), "STAT");
        assert_eq!(next_line(&mut buffer, 255), Ok(None));
        buffer.extend_from_slice(b"IT\r");
        assert_eq!(next_line(&mut buffer, 255), Ok(None));
        buffer.extend_from_slice(b"\n");
        assert_eq!(next_line(&mut buffer, 255).unwrap().unwrap(), "QUIT");
    }

    #[test]
    fn rfc2449_4_a_line_of_the_limit_is_taken_and_one_more_is_not() {
        let mut buffer = BytesMut::from(format!("{}\r\n", "x".repeat(253)).as_bytes());
        assert_eq!(next_line(&mut buffer, 255).unwrap().unwrap().len(), 253);
        let mut buffer = BytesMut::from(format!("{}\r\n", "x".repeat(254)).as_bytes());
        assert_eq!(next_line(&mut buffer, 255), Err(LineTooLong));
        let mut unfinished = BytesMut::from("x".repeat(255).as_bytes());
        assert_eq!(next_line(&mut unfinished, 255), Err(LineTooLong));
    }
}
