//! Draws every icon of Postern from its SVG sources; started by `cargo xtask icons`.
//!
//! ```text
//! postern.svg, postern-small.svg ──► 32x32.png … icon.png, icon.ico, icon.icns
//! tray/STATE.svg ──► tray/STATE-for-dark-SIZE.png, tray/STATE-for-light-SIZE.png
//! ```
//!
//! A workspace of its own, so that nobody who builds Postern builds a renderer of SVG.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use resvg::tiny_skia::{ColorU8, Pixmap, PixmapPaint, Transform};
use resvg::usvg::{Options, Tree};

/// Below this many pixels the drawing with fewer lines is used.
const SMALL: u32 = 48;
const STATES: [&str; 6] = ["idle", "ready", "live", "attention", "offline", "paused"];
/// The colour of the drawing, and of the outline around it, for panels of either brightness.
const SHADES: [(&str, &str, [u8; 3]); 2] =
    [("for-dark", "#ffffff", [0x1c, 0x1c, 0x20]), ("for-light", "#2b2b2f", [0xff, 0xff, 0xff])];
/// The side in pixels of the smallest picture, where the outline is one pixel wide.
const OUTLINE_UNIT: u32 = 22;
const TRAY_SIZES: [u32; 3] = [22, 32, 48];
const APP_FILES: [(&str, u32); 4] = [("32x32.png", 32), ("128x128.png", 128), ("128x128@2x.png", 256), ("icon.png", 512)];
const ICO_SIZES: [u32; 6] = [16, 24, 32, 48, 64, 256];
const ICNS_SIZES: [(&[u8; 4], u32); 7] =
    [(b"icp4", 16), (b"icp5", 32), (b"ic07", 128), (b"ic08", 256), (b"ic09", 512), (b"ic13", 256), (b"ic14", 512)];

fn main() -> Result<()> {
    let icons = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tool lies in the icons' directory")?;
    for (name, size) in APP_FILES {
        write(icons.join(name), &app(icons, size)?)?;
    }
    write(icons.join("icon.ico"), &ico(icons)?)?;
    write(icons.join("icon.icns"), &icns(icons)?)?;
    for state in STATES {
        let drawing = read(&icons.join("tray").join(format!("{state}.svg")))?;
        for (shade, colour, outline) in SHADES {
            for size in TRAY_SIZES {
                let picture = outlined(&render(&drawing.replace("currentColor", colour), size)?, outline)?.encode_png()?;
                write(icons.join("tray").join(format!("{state}-{shade}-{size}.png")), &picture)?;
            }
        }
    }
    Ok(())
}

fn app(icons: &Path, size: u32) -> Result<Vec<u8>> {
    let drawing = if size < SMALL { "postern-small.svg" } else { "postern.svg" };
    png(&read(&icons.join(drawing))?, size)
}

fn png(drawing: &str, size: u32) -> Result<Vec<u8>> {
    Ok(render(drawing, size)?.encode_png()?)
}

/// The drawing with an outline behind it, so that it can be seen on a panel of the other brightness too: not every desktop says
/// how bright its panel is.
fn outlined(drawing: &Pixmap, [red, green, blue]: [u8; 3]) -> Result<Pixmap> {
    let (side, radius) = (drawing.width() as i32, (drawing.width() / OUTLINE_UNIT).max(1) as i32);
    let alpha = |x: i32, y: i32| match (0..side).contains(&x) && (0..side).contains(&y) {
        true => drawing.pixels()[(y * side + x) as usize].alpha(),
        false => 0,
    };
    let mut picture = Pixmap::new(drawing.width(), drawing.height()).context("an icon has a size")?;
    for (at, pixel) in picture.pixels_mut().iter_mut().enumerate() {
        let (x, y) = (at as i32 % side, at as i32 / side);
        let around = (-radius..=radius).flat_map(|dx| (-radius..=radius).map(move |dy| (dx, dy)));
        let widened = around.map(|(dx, dy)| alpha(x + dx, y + dy)).max().unwrap_or_default();
        *pixel = ColorU8::from_rgba(red, green, blue, widened).premultiply();
    }
    let paint = PixmapPaint::default();
    picture.draw_pixmap(0, 0, drawing.as_ref(), &paint, Transform::identity(), None);
    Ok(picture)
}

fn render(drawing: &str, size: u32) -> Result<Pixmap> {
    let tree = Tree::from_str(drawing, &Options::default())?;
    let mut picture = Pixmap::new(size, size).context("an icon has a size")?;
    let scale = size as f32 / tree.size().width();
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut picture.as_mut());
    Ok(picture)
}

/// A directory of PNGs, as Windows has read it since Vista.
fn ico(icons: &Path) -> Result<Vec<u8>> {
    let pictures = ICO_SIZES.iter().map(|size| app(icons, *size)).collect::<Result<Vec<_>>>()?;
    let count = u16::try_from(pictures.len())?;
    let mut file = Vec::from([0, 0, 1, 0]);
    file.extend(count.to_le_bytes());
    let mut offset = 6 + 16 * u32::from(count);
    for (size, picture) in ICO_SIZES.iter().zip(&pictures) {
        // 256 is written as 0.
        let side = (size % 256) as u8;
        let length = u32::try_from(picture.len())?;
        file.extend([side, side, 0, 0, 1, 0, 32, 0]);
        file.extend(length.to_le_bytes());
        file.extend(offset.to_le_bytes());
        offset += length;
    }
    file.extend(pictures.concat());
    Ok(file)
}

/// A row of PNGs, each with its kind and length.
fn icns(icons: &Path) -> Result<Vec<u8>> {
    let mut entries = Vec::new();
    for (kind, size) in ICNS_SIZES {
        let picture = app(icons, size)?;
        entries.extend(kind);
        entries.extend(u32::try_from(picture.len() + 8)?.to_be_bytes());
        entries.extend(picture);
    }
    let mut file = Vec::from(*b"icns");
    file.extend(u32::try_from(entries.len() + 8)?.to_be_bytes());
    file.extend(entries);
    Ok(file)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("Failed to read {}", path.display()))
}

fn write(path: PathBuf, bytes: &[u8]) -> Result<()> {
    fs::write(&path, bytes).with_context(|| format!("Failed to write {}", path.display()))
}
