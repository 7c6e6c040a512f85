//! The panel: what hosts the tray, reads its menu, and clicks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::timeout;
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{Array, OwnedObjectPath, OwnedValue, Structure, Value};
use zbus::{Connection, Proxy, interface};

use postern_testkit::{TIMEOUT, eventually_async};

const NAME: &str = "org.kde.StatusNotifierWatcher";
const PATH: &str = "/StatusNotifierWatcher";
/// How long a panel waits for an item before it asks again.
const ANSWER: Duration = Duration::from_secs(5);

/// A panel with one program's item in it.
pub struct Tray {
    connection: Connection,
    items: Items,
}

/// The bus names of what has registered.
type Items = Arc<Mutex<Vec<String>>>;

/// One line of a menu.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its number; another one after each change of the menu.
    id: i32,
    /// What it says, without mnemonics.
    pub label: String,
    /// Whether it can be clicked.
    pub enabled: bool,
    /// Whether it is checked, if it can be.
    pub checked: Option<bool>,
    /// The menu behind it.
    pub lines: Vec<Line>,
}

struct Watcher(Items);

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    async fn register_status_notifier_item(
        &self,
        service: String,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) {
        // Some send where they are, some who they are.
        let name = match service.starts_with('/') {
            true => header.sender().unwrap().to_string(),
            false => service,
        };
        {
            let mut items = self.0.lock().unwrap();
            items.retain(|item| *item != name);
            items.push(name.clone());
        }
        Self::status_notifier_item_registered(&emitter, &name).await.unwrap();
    }

    fn register_status_notifier_host(&self, _service: String) {}

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }

    #[zbus(signal)]
    async fn status_notifier_item_registered(emitter: &SignalEmitter<'_>, item: &str) -> zbus::Result<()>;
}

impl Tray {
    /// Opens a panel.
    pub async fn open(bus: &Connection) -> Self {
        let items = Items::default();
        bus.object_server().at(PATH, Watcher(Arc::clone(&items))).await.unwrap();
        bus.request_name(NAME).await.unwrap();
        Self { connection: bus.clone(), items }
    }

    /// The panel crashes: it is gone, and so is what it knew.
    pub async fn crash(&self) {
        self.items.lock().unwrap().clear();
        self.connection.release_name(NAME).await.unwrap();
    }

    /// The panel comes back.
    pub async fn come_back(&self) {
        self.connection.request_name(NAME).await.unwrap();
    }

    /// The tooltip, as it is now.
    pub async fn tooltip(&self) -> Option<String> {
        let item = self.item().await?;
        let tooltip: OwnedValue = item.get_property("ToolTip").await.ok()?;
        let tooltip = Structure::try_from(tooltip).ok()?;
        String::try_from(tooltip.fields().get(2)?.try_clone().ok()?).ok()
    }

    /// The sizes of the icon's pictures.
    pub async fn icon_sizes(&self) -> Vec<i32> {
        let item = self.item().await.unwrap();
        let pictures: Vec<(i32, i32, Vec<u8>)> = item.get_property("IconPixmap").await.unwrap();
        pictures.into_iter().map(|(width, _, _)| width).collect()
    }

    /// A click with the left button on the icon.
    pub async fn click_icon(&self) {
        let item = eventually_async("the tray's item", TIMEOUT, || self.item()).await;
        item.call_method("Activate", &(0_i32, 0_i32)).await.unwrap();
    }

    /// The menu, as it is now.
    pub async fn menu(&self) -> Option<Line> {
        let menu = self.dbusmenu().await?;
        let depth_and_names = (0_i32, -1_i32, Vec::<String>::new());
        let layout = timeout(ANSWER, menu.call_method("GetLayout", &depth_and_names)).await.ok()?.ok()?;
        let body = layout.body();
        let layout: Structure<'_> = body.deserialize().ok()?;
        let Value::Structure(root) = layout.fields().get(1)? else {
            return None;
        };
        Some(line(root))
    }

    /// Waits for a line of the menu, or of a menu in it, that is called `label` and satisfies `wanted`.
    pub async fn line(&self, label: &str, wanted: impl Fn(&Line) -> bool) -> Line {
        let seen = Seen(Mutex::default());
        let found = eventually_async(label, TIMEOUT, || async {
            let menu = self.menu().await;
            let found = menu.as_ref().and_then(|menu| menu.find(&|line| line.label == label && wanted(line)));
            *seen.0.lock().unwrap() = menu;
            found
        });
        found.await
    }

    /// Waits for a line whose label begins with `label`.
    pub async fn line_like(&self, label: &str) -> Line {
        eventually_async(label, TIMEOUT, || async { self.menu().await?.find(&|line| line.label.starts_with(label)) })
            .await
    }

    /// Clicks on `label` in the menu behind the line that begins with `menu`, or in the menu itself if that is empty.
    ///
    /// The menu may change between reading and clicking; then it is read again.
    pub async fn click(&self, menu: &str, label: &str) {
        eventually_async(&format!("{menu} {label}"), TIMEOUT, || async {
            let root = self.menu().await?;
            let menu = match menu {
                "" => root,
                menu => root.find(&|line| line.label.starts_with(menu) && !line.lines.is_empty())?,
            };
            let line = menu.lines.iter().find(|line| line.label == label && line.enabled)?;
            let clicked = (line.id, "clicked", Value::from(0_i32), 0_u32);
            self.dbusmenu().await?.call_method("Event", &clicked).await.ok()
        })
        .await;
    }

    async fn item(&self) -> Option<Proxy<'static>> {
        let name = self.items.lock().unwrap().last().cloned()?;
        let builder = zbus::proxy::Builder::<Proxy<'static>>::new(&self.connection);
        let builder = builder.destination(name).ok()?.path("/StatusNotifierItem").ok()?;
        let builder = builder.interface("org.kde.StatusNotifierItem").ok()?;
        builder.cache_properties(zbus::proxy::CacheProperties::No).build().await.ok()
    }

    async fn dbusmenu(&self) -> Option<Proxy<'static>> {
        let item = self.item().await?;
        let path: OwnedObjectPath = item.get_property("Menu").await.ok()?;
        Proxy::new(&self.connection, item.destination().to_owned(), path, "com.canonical.dbusmenu").await.ok()
    }
}

/// The menu that was seen last: told when a test fails that waits for something in it.
struct Seen(Mutex<Option<Line>>);

impl Drop for Seen {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the menu at last: {:#?}", self.0.lock());
        }
    }
}

impl Line {
    /// This line or one below it that satisfies `wanted`.
    pub fn find(&self, wanted: &dyn Fn(&Self) -> bool) -> Option<Self> {
        if wanted(self) {
            return Some(self.clone());
        }
        self.lines.iter().find_map(|line| line.find(wanted))
    }
}

fn line(structure: &Structure<'_>) -> Line {
    let fields = structure.fields();
    let properties: HashMap<String, OwnedValue> = fields[1].try_clone().unwrap().try_into().unwrap();
    let text = |key: &str| properties.get(key).and_then(|value| String::try_from(value.clone()).ok());
    let lines: Array<'_> = fields[2].try_clone().unwrap().try_into().unwrap();
    let lines = lines.iter().map(|below| match below {
        Value::Value(inner) => match &**inner {
            Value::Structure(structure) => line(structure),
            other => panic!("{other:?} is no line of a menu"),
        },
        Value::Structure(structure) => line(structure),
        other => panic!("{other:?} is no line of a menu"),
    });
    Line {
        id: i32::try_from(&fields[0]).unwrap(),
        label: text("label").unwrap_or_default().replace("__", "_"),
        enabled: properties.get("enabled").and_then(|value| bool::try_from(value.clone()).ok()).unwrap_or(true),
        checked: text("toggle-type").map(|_| {
            let state = properties.get("toggle-state").and_then(|value| i32::try_from(value.clone()).ok());
            state == Some(1)
        }),
        lines: lines.collect(),
    }
}
