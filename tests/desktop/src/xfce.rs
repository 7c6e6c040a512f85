//! XFCE's panel with nothing but a tray in it.

use std::fs;
use std::path::PathBuf;

use postern_testkit::{Process, TIMEOUT, eventually_async};
use zbus::fdo::DBusProxy;

use crate::desktop::Desktop;

const SETTINGS: &str = "org.xfce.Xfconf";
const WATCHER: &str = "org.kde.StatusNotifierWatcher";
/// The height of the panel, in pixels.
pub const PANEL_HEIGHT: usize = 32;

/// A running panel at the upper edge of the screen; it hosts tray icons.
pub struct XfcePanel {
    // Dropped before the settings that it reads.
    _panel: Process,
    _settings: Process,
}

impl XfcePanel {
    /// Starts one with XFCE's light or dark colours, and waits until it hosts icons. No other host may be there.
    pub async fn start(desktop: &Desktop, dark: bool) -> Self {
        let channel = desktop.home().join("config/xfce4/xfconf/xfce-perchannel-xml");
        fs::create_dir_all(&channel).unwrap();
        fs::write(channel.join("xfce4-panel.xml"), configuration(dark)).unwrap();
        let settings = Process::spawn(&mut desktop.command(daemon().to_str().unwrap()));
        owned(desktop, SETTINGS).await;
        let mut panel = desktop.command("xfce4-panel");
        let panel = Process::spawn(panel.args(["--disable-wm-check", "--sm-client-disable"]));
        owned(desktop, WATCHER).await;
        Self { _panel: panel, _settings: settings }
    }
}

async fn owned(desktop: &Desktop, name: &str) {
    let bus = DBusProxy::new(desktop.bus()).await.unwrap();
    let has_owner = || async { bus.name_has_owner(name.try_into().unwrap()).await.unwrap().then_some(()) };
    eventually_async(name, TIMEOUT, has_owner).await;
}

/// Debian keeps it outside of `PATH`, in a directory for each architecture.
fn daemon() -> PathBuf {
    let libraries = fs::read_dir("/usr/lib").unwrap().flatten();
    let found = libraries.map(|it| it.path().join("xfce4/xfconf/xfconfd")).find(|it| it.is_file());
    found.expect("the package xfconf is installed")
}

fn configuration(dark: bool) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="dark-mode" type="bool" value="{dark}"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="{PANEL_HEIGHT}"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray"/>
  </property>
</channel>
"#
    )
}
