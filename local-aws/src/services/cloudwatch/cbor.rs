//! CBOR, read as JSON: every value of a CloudWatch request but a time has a counterpart there.

use aws_smithy_cbor::Decoder;
use aws_smithy_cbor::data::Type;
use aws_smithy_cbor::decode::DeserializeError;
use serde_json::{Map, Value, json};

/// The deepest nesting of a request.
const DEPTH_MAX: usize = 16;

/// Reads one value and rejects anything after it. A time becomes its number of seconds since 1970.
pub(super) fn read(bytes: &[u8]) -> Result<Value, DeserializeError> {
    let mut decoder = Decoder::new(bytes);
    let value = value(&mut decoder, 0)?;
    if decoder.position() < bytes.len() {
        return Err(DeserializeError::expected_end_of_stream(decoder.position()));
    }
    Ok(value)
}

fn value(decoder: &mut Decoder<'_>, depth: usize) -> Result<Value, DeserializeError> {
    if depth > DEPTH_MAX {
        return Err(DeserializeError::custom("it is nested too deeply", decoder.position()));
    }
    Ok(match decoder.datatype()? {
        Type::Bool => json!(decoder.boolean()?),
        Type::Null | Type::Undefined => {
            decoder.skip()?;
            Value::Null
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
            json!(decoder.long()?)
        }
        Type::F16 | Type::F32 => json!(decoder.float()?),
        Type::F64 => json!(decoder.double()?),
        Type::String | Type::StringIndef => json!(decoder.string()?),
        Type::Tag => json!(decoder.timestamp()?.as_secs_f64()),
        Type::Array | Type::ArrayIndef => {
            let mut elements = Vec::new();
            let length = decoder.list()?;
            while goes_on(decoder, length, elements.len())? {
                elements.push(value(decoder, depth + 1)?);
            }
            Value::Array(elements)
        }
        Type::Map | Type::MapIndef => {
            let mut members = Map::new();
            let length = decoder.map()?;
            let mut read = 0;
            while goes_on(decoder, length, read)? {
                let name = decoder.string()?;
                members.insert(name, value(decoder, depth + 1)?);
                read += 1;
            }
            Value::Object(members)
        }
        other => {
            let why = format!("{other:?} is not expected here");
            return Err(DeserializeError::custom(why, decoder.position()));
        }
    })
}

/// Returns whether a list or map has more elements. One without a length has a mark at its end.
fn goes_on(decoder: &mut Decoder<'_>, length: Option<u64>, read: usize) -> Result<bool, DeserializeError> {
    if let Some(length) = length {
        return Ok((read as u64) < length);
    }
    let ended = decoder.datatype()? == Type::Break;
    if ended {
        decoder.skip()?;
    }
    Ok(!ended)
}

#[cfg(test)]
mod tests {
    use aws_smithy_cbor::Encoder;
    use aws_smithy_types::DateTime;

    use super::*;

    #[test]
    fn reads_the_parts_of_a_request() {
        let mut encoder = Encoder::new(Vec::new());
        encoder.begin_map();
        encoder.str("Namespace").str("AWS/SES");
        encoder.str("StartTime").timestamp(&DateTime::from_secs(60));
        encoder.str("Period").integer(300);
        encoder.str("Statistics").array(1).str("Maximum");
        encoder.str("Nothing").null();
        encoder.end();
        let request = json!({
            "Namespace": "AWS/SES", "StartTime": 60.0, "Period": 300, "Statistics": ["Maximum"], "Nothing": null,
        });
        assert_eq!(read(&encoder.into_writer()).unwrap(), request);
    }

    #[test]
    fn refuses_truncated_trailing_and_deeply_nested_input() {
        let mut encoder = Encoder::new(Vec::new());
        encoder.map(1).str("Namespace").str("AWS/SES");
        let whole = encoder.into_writer();
        read(&whole).unwrap();
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
        assert!(read(&[whole, vec![0]].concat()).is_err());
        // 0x81 begins an array of one.
        assert!(read(&vec![0x81; 100_000]).is_err());
        // A length that no memory holds is not believed.
        assert!(read(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
    }
}
