//! `icon.png`: a white ticket on the connector's colour, 230 by 230, as Microsoft's reviewers ask for.

const SIDE: u32 = 230;
/// Shades between the colour and white: two bits for each point.
const SHADES: u8 = 4;
/// Points of a raster within one point, in each direction, to find its shade.
const RASTER: u32 = 4;

/// The icon as a PNG file. A colour that cannot be read is black.
pub(super) fn png(color: &str) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut head = [SIDE.to_be_bytes(), SIDE.to_be_bytes()].concat();
    // Two bits a point, each naming a colour of the palette; no interlacing.
    head.extend([2, 3, 0, 0, 0]);
    chunk(&mut png, *b"IHDR", &head);
    chunk(&mut png, *b"PLTE", &palette(color));
    chunk(&mut png, *b"IDAT", &zlib(&points()));
    chunk(&mut png, *b"IEND", &[]);
    png
}

fn palette(color: &str) -> Vec<u8> {
    let number = u32::from_str_radix(color.trim_start_matches('#'), 16).unwrap_or(0);
    let [_, red, green, blue] = number.to_be_bytes();
    let last = u16::from(SHADES - 1);
    let mix = |part: u8, shade: u16| (u16::from(part) * (last - shade) + 255 * shade) / last;
    (0..=last)
        .flat_map(|shade| [red, green, blue].map(|part| u8::try_from(mix(part, shade)).unwrap_or(u8::MAX)))
        .collect()
}

/// Lines of points; before each a zero, which says that it stands for itself.
fn points() -> Vec<u8> {
    let mut lines = Vec::new();
    for y in 0..SIDE {
        lines.push(0);
        for byte in 0..SIDE.div_ceil(4) {
            let shades = (0..4).map(|part| byte * 4 + part).map(|x| if x < SIDE { shade(x, y) } else { 0 });
            lines.push(shades.fold(0, |byte, shade| byte << 2 | shade));
        }
    }
    lines
}

fn shade(x: u32, y: u32) -> u8 {
    let raster = (0..RASTER * RASTER).map(|at| (x * RASTER + at % RASTER, y * RASTER + at / RASTER));
    let white = raster
        .filter(|(x, y)| is_ticket(f64::from(*x) / f64::from(RASTER), f64::from(*y) / f64::from(RASTER)));
    let white = u32::try_from(white.count()).unwrap_or(0);
    u8::try_from(white * u32::from(SHADES - 1) / (RASTER * RASTER)).unwrap_or(0)
}

/// A ticket: a rectangle with a bite out of either side, and a dotted line where it is torn off.
fn is_ticket(x: f64, y: f64) -> bool {
    let within = (35.0..195.0).contains(&x) && (68.0..162.0).contains(&y);
    let bite = |at: f64| (x - at).hypot(y - 115.0) < 18.0;
    let dot = (150.0..154.0).contains(&x) && (y - 68.0) % 13.0 > 6.0;
    within && !bite(35.0) && !bite(195.0) && !dot
}

fn chunk(png: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) {
    let begin = png.len() + 4;
    png.extend(u32::try_from(content.len()).unwrap_or(0).to_be_bytes());
    png.extend(kind);
    png.extend(content);
    let sum = crc(&png[begin..]);
    png.extend(sum.to_be_bytes());
}

/// The bytes in a zlib stream that does not compress: there are few of them.
fn zlib(content: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = content.chunks(usize::from(u16::MAX)).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    let (low, high) = content.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    stream.extend((high << 16 | low).to_be_bytes());
    stream
}

fn crc(content: &[u8]) -> u32 {
    !content.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_standards() {
        assert_eq!(crc(b"IEND"), 0xAE42_6082);
        assert_eq!(zlib(b"Wikipedia")[16..], [0x11, 0xE6, 0x03, 0x98]);
    }

    #[test]
    fn the_icon_is_square_and_small_and_has_the_colour() {
        let icon = png("#2b5f75");

        assert_eq!(icon[16..20], icon[20..24]);
        assert!(icon.len() < 1_000_000);
        assert!(icon.windows(7).any(|part| part == b"PLTE\x2b\x5f\x75"));
    }
}
