//! The least of a format for machines: it knows one text, and writes no names.

use std::fmt::Display;

use serde::de::{self, Deserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde::ser::{self, Impossible, Serializer};

type Nothing = Impossible<String, de::value::Error>;
type Wrong = de::value::Error;

/// Writes a text, and nothing else.
pub(crate) struct Writer;

/// Reads a text that is asked for as one; it cannot tell what is there.
pub(crate) struct Reader(pub(crate) String);

fn no<T>() -> Result<T, Wrong> {
    Err(ser::Error::custom("only a text can be written"))
}

macro_rules! refuse {
    ($($name:ident: $of:ty),*) => { $(fn $name(self, _: $of) -> Result<String, Wrong> { no() })* };
}

impl Serializer for Writer {
    type Ok = String;
    type Error = Wrong;
    type SerializeSeq = Nothing;
    type SerializeTuple = Nothing;
    type SerializeTupleStruct = Nothing;
    type SerializeTupleVariant = Nothing;
    type SerializeMap = Nothing;
    type SerializeStruct = Nothing;
    type SerializeStructVariant = Nothing;

    refuse!(serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64);
    refuse!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32);
    refuse!(serialize_f64: f64, serialize_char: char, serialize_bytes: &[u8], serialize_unit_struct: &'static str);

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_str(self, text: &str) -> Result<String, Wrong> {
        Ok(text.to_owned())
    }

    fn serialize_none(self) -> Result<String, Wrong> {
        no()
    }

    fn serialize_some<T: ser::Serialize + ?Sized>(self, _: &T) -> Result<String, Wrong> {
        no()
    }

    fn serialize_unit(self) -> Result<String, Wrong> {
        no()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<String, Wrong> {
        no()
    }

    fn serialize_newtype_struct<T: ser::Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<String, Wrong> {
        no()
    }

    fn serialize_newtype_variant<T: ser::Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<String, Wrong> {
        no()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Nothing, Wrong> {
        no()
    }

    fn serialize_tuple(self, _: usize) -> Result<Nothing, Wrong> {
        no()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Nothing, Wrong> {
        no()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Nothing, Wrong> {
        no()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Nothing, Wrong> {
        no()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Nothing, Wrong> {
        no()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Nothing, Wrong> {
        no()
    }

    fn collect_str<T: Display + ?Sized>(self, text: &T) -> Result<String, Wrong> {
        Ok(text.to_string())
    }
}

impl<'de> Deserializer<'de> for Reader {
    type Error = Wrong;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Wrong> {
        no()
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_string(self.0)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_string(self.0)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char bytes byte_buf option unit unit_struct newtype_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}
