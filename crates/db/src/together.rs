//! Several statements in one call of SQLite's driver. A call is two hops between threads and costs more than most statements.

use crate::Value;

/// Statements of one call, and their values, at most: each sequence of texts is prepared and kept as a whole.
const STATEMENTS: usize = 8;
const BINDS: usize = 512;

/// What waits for the next call.
#[derive(Debug, Default)]
pub(crate) struct Together {
    sql: String,
    args: Vec<Value>,
    statements: usize,
}

impl Together {
    pub(crate) fn is_empty(&self) -> bool {
        self.statements == 0
    }

    /// Whether a statement with so many values may still join; alone it may have any number.
    pub(crate) fn has_room(&self, args: usize) -> bool {
        self.is_empty() || (self.statements < STATEMENTS && self.args.len() + args <= BINDS)
    }

    /// Adds a statement. Its `?1`, `?2` … become `?`, each with a value of its own: the numbers of one text count through all of
    /// its statements.
    pub(crate) fn push(&mut self, sql: &str, args: &[Value]) {
        if !self.is_empty() {
            self.sql.push_str("\n;"); // its last line may be a comment
        }
        self.statements += 1;
        let mut parts = sql.split('?');
        self.sql.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let after = part.trim_start_matches(|c: char| c.is_ascii_digit());
            if let Ok(number) = part[..part.len() - after.len()].parse::<usize>() {
                // What has no value is NULL, as SQLite has it: the values behind it must not move up.
                self.args.push(args.get(number.wrapping_sub(1)).cloned().unwrap_or(Value::NullInt));
            }
            self.sql.push('?');
            self.sql.push_str(after);
        }
    }

    /// The text and values of one call. Nothing waits any more.
    pub(crate) fn take(&mut self) -> (String, Vec<Value>) {
        let Together { sql, args, .. } = std::mem::take(self);
        (sql, args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_placeholder_gets_its_own_value() {
        let mut together = Together::default();
        together.push("BEGIN IMMEDIATE", &[]);
        together.push("UPDATE a SET n = ?2 WHERE id = ?1 AND n < ?2", &[Value::Int(1), Value::Int(2)]);
        together.push("INSERT INTO b (id) VALUES (?1),(?2)", &[Value::Int(3), Value::Int(4)]);
        let (sql, args) = together.take();
        assert_eq!(sql, "BEGIN IMMEDIATE\n;UPDATE a SET n = ? WHERE id = ? AND n < ?\n;INSERT INTO b (id) VALUES (?),(?)");
        assert_eq!(args, [2, 1, 2, 3, 4].map(Value::Int));
        assert!(together.is_empty() && together.take().1.is_empty());
    }

    #[test]
    fn a_value_that_is_missing_moves_no_other() {
        let mut together = Together::default();
        together.push("SELECT ?2, ?1 -- what?", &[Value::Int(1)]);
        together.push("SELECT ?1", &[Value::Int(2)]);
        assert_eq!(together.take().1, [Value::NullInt, Value::Int(1), Value::Int(2)]);
    }

    #[test]
    fn few_share_a_call_and_a_big_one_goes_alone() {
        let mut together = Together::default();
        assert!(together.has_room(BINDS + 1));
        together.push("SELECT 1", &[]);
        assert!(together.has_room(BINDS) && !together.has_room(BINDS + 1));
        for _ in 1..STATEMENTS {
            together.push("SELECT 1", &[]);
        }
        assert!(!together.has_room(0));
    }
}
