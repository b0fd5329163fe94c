//! CSV (RFC 4180): fields between commas, in quotes where they hold commas, quotes or new lines.

/// The records of a text, blank lines left out; one whose quotes do not fit is an error.
pub fn records(text: &str) -> Vec<Result<Vec<String>, String>> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (record, after) = record(rest);
        rest = after;
        if record
            .as_ref()
            .map_or(true, |fields| fields.len() > 1 || !fields[0].is_empty())
        {
            found.push(record);
        }
    }
    found
}

/// The first record, and what comes after its line.
fn record(text: &str) -> (Result<Vec<String>, String>, &str) {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => match quoted_field(quoted) {
                Some(found) => found,
                None => return (Err("a quote is never closed".into()), ""),
            },
            None => {
                let end = rest.find([',', '\n']).unwrap_or(rest.len());
                let field = rest[..end].strip_suffix('\r').unwrap_or(&rest[..end]);
                (field.to_owned(), &rest[end..])
            }
        };
        fields.push(field);
        let after = after.strip_prefix('\r').unwrap_or(after);
        match after.chars().next() {
            Some(',') => rest = &after[1..],
            Some('\n') => return (Ok(fields), &after[1..]),
            None => return (Ok(fields), ""),
            Some(_) => {
                let end = after.find('\n').map_or(after.len(), |end| end + 1);
                return (
                    Err("something follows a closing quote".into()),
                    &after[end..],
                );
            }
        }
    }
}

/// A field up to its closing quote, two quotes standing for one, and what follows.
fn quoted_field(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let quote = rest.find('"')?;
        field.push_str(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => return Some((field, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_line_ends_are_read() {
        let found = records("a,\"b, \"\"c\"\"\nd\",e\r\n\r\n\"\",f\n");
        assert_eq!(
            found,
            [
                Ok(vec!["a".into(), "b, \"c\"\nd".into(), "e".into()]),
                Ok(vec![String::new(), "f".into()])
            ]
        );
        assert!(records("a\n\"b")[1].is_err());
        let broken = records("\"a\"b,c\nd\n");
        assert!(broken[0].is_err() && broken[1].is_ok());
    }
}
