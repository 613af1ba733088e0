use bytes::Bytes;

/// What is bound to a statement or read from a row. NULLs carry their type: PostgreSQL wants to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// BIGINT
    Int(i64),
    /// TEXT
    Text(String),
    /// {blob}
    Blob(Bytes),
    /// BIGINT that is NULL
    NullInt,
    /// TEXT that is NULL
    NullText,
    /// {blob} that is NULL
    NullBlob,
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}
impl From<u32> for Value {
    fn from(value: u32) -> Value {
        Value::Int(value.into())
    }
}
impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Int(value.into())
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value)
    }
}
impl From<Bytes> for Value {
    fn from(value: Bytes) -> Value {
        Value::Blob(value)
    }
}
impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Value {
        Value::Blob(value.into())
    }
}
impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Value {
        value.map_or(Value::NullInt, Value::Int)
    }
}
impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Value {
        value.map_or(Value::NullText, Value::Text)
    }
}
impl From<Option<Bytes>> for Value {
    fn from(value: Option<Bytes>) -> Value {
        value.map_or(Value::NullBlob, Value::Blob)
    }
}

/// A row of an answer, its columns in the order of the statement. Asking a column for a type it has not is a bug in
/// the statement: the getters then give the type's empty value, and the store's self-check finds the difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub(crate) Vec<Value>);

impl Row {
    /// A BIGINT that is not NULL; 0 otherwise.
    pub fn int(&self, column: usize) -> i64 {
        self.opt_int(column).unwrap_or_default()
    }
    /// A BIGINT, or None for NULL.
    pub fn opt_int(&self, column: usize) -> Option<i64> {
        match self.0.get(column) {
            Some(Value::Int(value)) => Some(*value),
            _ => None,
        }
    }
    /// A TEXT that is not NULL; empty otherwise.
    pub fn text(&self, column: usize) -> &str {
        self.opt_text(column).unwrap_or_default()
    }
    /// A TEXT, or None for NULL.
    pub fn opt_text(&self, column: usize) -> Option<&str> {
        match self.0.get(column) {
            Some(Value::Text(value)) => Some(value),
            _ => None,
        }
    }
    /// A blob, or None for NULL.
    pub fn blob(&self, column: usize) -> Option<Bytes> {
        match self.0.get(column) {
            Some(Value::Blob(value)) => Some(value.clone()),
            _ => None,
        }
    }
}
