//! Postern's shell: tray, window and notifications around the engine.
//!
//! ```text
//!            ┌──────────── controller (the only owner of state) ────────────┐
//! engine ◄──►│ Snapshot ─► tray ─► Tray      Notice ─► notification         │◄──► face: the desktop, or a recording
//!            └──────────────────────────────────────────────────────────────┘
//!   instance: one program per data directory     commands: what the window may call
//! ```
//!
//! * [`controller`] decides, [`desktop_integration`] is what it can make appear, `desktop` makes it appear.
//! * [`tray`] and [`notification`]: pure functions of what the engine shows, and what carries them to the system.
//! * `window`, `commands`: the one window, and what it may ask.
//! * [`single_instance`], [`arguments`], `logs`, `crash`, `platform`: how the program starts, and how it fails.
//! * [`untrusted_text`]: other people's words.

pub mod arguments;
mod commands;
pub mod controller;
pub mod desktop_integration;
mod local_engine;
mod logs;
mod native_desktop;
pub mod notification;
mod panic_reporter;
mod platform;
pub mod shell;
pub mod single_instance;
pub mod tray;
pub mod untrusted_text;
mod window;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use postern_engine::control;
use postern_engine::model::Secret;
use tauri::{RunEvent, WindowEvent};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use arguments::Arguments;
use controller::{Controller, Input, Options, Timeouts};
use single_instance::{Claim, EngineProxy, Lock};

/// The name by which desktops know the program: of its entry, its icon and its windows.
pub const APP_ID: &str = "org.postern.app";
/// The exit code where there is no screen (`EX_UNAVAILABLE`).
const EXIT_NO_DISPLAY: u8 = 69;
/// How long what the program has begun may take to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// What the controller may be behind before others wait for it.
const INPUT_CAPACITY: usize = 256;

/// The whole program.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(text) = &arguments.error_dialog {
        panic_reporter::show_dialog(text);
        return ExitCode::SUCCESS;
    }
    let data_dir = match data_dir(&arguments) {
        Ok(data_dir) => data_dir,
        Err(why) => {
            panic_reporter::report_fatal(&why, "Choose another place with --data-dir.", Path::new("there is none yet"));
            return ExitCode::FAILURE;
        }
    };
    let log = logs::path(&data_dir);
    if let Err(error) = logs::init(&data_dir) {
        let why = format!("The log cannot be written ({error}).");
        panic_reporter::report_fatal(&why, "Check the permissions of the directory.", &log);
        return ExitCode::FAILURE;
    }
    panic_reporter::install(log.clone());
    match start(arguments, data_dir, log.clone()) {
        Ok(code) => code,
        Err(why) => {
            panic_reporter::report_fatal(&format!("Postern could not start: {why}"), "Then start it again.", &log);
            ExitCode::FAILURE
        }
    }
}

fn start(mut arguments: Arguments, data_dir: PathBuf, log: PathBuf) -> Result<ExitCode, String> {
    let runtime = Runtime::new().map_err(|error| format!("the system gives no threads ({error}). Close something."))?;
    let lock = match runtime.block_on(single_instance::claim(&data_dir, arguments.link.clone()))? {
        Claim::Primary(lock) => lock,
        Claim::Secondary => {
            // Whether somebody reads it or not.
            let _ = writeln!(io::stdout(), "Postern is running already. If it has a window, it shows it now.");
            return Ok(ExitCode::SUCCESS);
        }
    };
    if let Err(why) = platform::display::ensure_available() {
        panic_reporter::print_error(&format!(
            "Postern needs a screen: {why}. Without one use `postern`, the same on the command line."
        ));
        return Ok(ExitCode::from(EXIT_NO_DISPLAY));
    }
    if arguments.data_dir.is_none() {
        // Links lead to the person's own data, not to what a test or a second person uses.
        runtime.spawn_blocking(platform::url_scheme::register);
    }
    let options = Options {
        hidden: arguments.hidden,
        link: arguments.link.take(),
        data_dir,
        log_file: log,
        timeouts: Timeouts::default(),
    };
    let factory = local_engine::LocalEngineFactory::new(&arguments, &options.data_dir)?;
    Ok(run_event_loop(runtime, factory, options, lock, arguments.panic))
}

/// Runs until somebody quits. The lock is the last to go.
#[expect(clippy::disallowed_methods, reason = "Tauri's macro has an exit in a branch that is not ours")]
fn run_event_loop(
    runtime: Runtime,
    factory: local_engine::LocalEngineFactory,
    options: Options,
    lock: Lock,
    panic_on_start: bool,
) -> ExitCode {
    let (inputs, input_receiver) = mpsc::channel(INPUT_CAPACITY);
    tauri::async_runtime::set(runtime.handle().clone());
    let entered = runtime.enter();
    let engine_proxy = EngineProxy::new(options.data_dir.clone(), inputs.clone());

    let app = app_builder(inputs.clone()).build(tauri::generate_context!());
    let app = app.expect("the configuration was checked when the program was built");
    let logs = options.log_file.parent().unwrap_or(Path::new("/")).to_owned();
    let desktop = native_desktop::NativeDesktop::new(app.handle().clone(), &inputs, engine_proxy.clone(), logs);
    let controller = runtime.spawn(async move {
        assert!(!panic_on_start, "as it was asked to, with --panic");
        Controller::new(desktop, factory, options, input_receiver).run().await;
    });
    // Without the controller there is nobody who could end the program.
    let handle = app.handle().clone();
    let ended = runtime.spawn(async move {
        let ended = controller.await;
        if ended.is_err() {
            handle.exit(1);
        }
        ended
    });
    runtime.spawn(serve_control_socket(engine_proxy, inputs.clone()));
    runtime.spawn(quit_on_signal(inputs.clone()));
    runtime.spawn(platform::connectivity::watch(inputs.clone()));
    info!("version {}", env!("CARGO_PKG_VERSION"));

    app.run_return(move |_, event| forward_window_event(&inputs, event));
    let ended = runtime.block_on(ended).and_then(|controller| controller);
    drop(entered);
    // What still waits for a person, as for a password window, is left behind.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    drop(lock);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("the controller ended badly: {error}");
            ExitCode::FAILURE
        }
    }
}

fn app_builder(inputs: mpsc::Sender<Input>) -> tauri::Builder<tauri::Wry> {
    let builder = tauri::Builder::default();
    #[cfg(not(target_os = "linux"))]
    let builder = builder.plugin(tauri_plugin_autostart::Builder::new().arg("--hidden").build());
    builder.manage(commands::ControllerHandle(inputs)).manage(window::ShouldShow::default()).invoke_handler(
        tauri::generate_handler![
            commands::request,
            commands::snapshot,
            commands::shell_state,
            commands::shell,
            commands::save_as,
        ],
    )
}

/// Tells the controller what happened to the window. On the main thread, so it never waits.
fn forward_window_event(inputs: &mpsc::Sender<Input>, event: RunEvent) {
    let window_event = match event {
        RunEvent::ExitRequested { code: None, api, .. } => {
            // The last window is gone; the tray is still there.
            api.prevent_exit();
            return;
        }
        RunEvent::WindowEvent { event: WindowEvent::CloseRequested { api, .. }, .. } => {
            api.prevent_close();
            controller::WindowEvent::CloseRequested
        }
        RunEvent::WindowEvent { event: WindowEvent::Focused(focused), .. } => controller::WindowEvent::Focused(focused),
        RunEvent::WindowEvent { event: WindowEvent::Destroyed, .. } => controller::WindowEvent::Destroyed,
        _ => return,
    };
    if let Err(error) = inputs.try_send(Input::Window(window_event)) {
        warn!("what happened to the window was not heard: {error}");
    }
}

/// Opens the control socket and keeps it open.
async fn serve_control_socket(engine_proxy: EngineProxy, inputs: mpsc::Sender<Input>) {
    let raise = move |link: Option<Secret>| {
        let input = link.map_or(Input::ShowWindow, Input::OpenLink);
        if let Err(error) = inputs.try_send(input) {
            warn!("a second start was not heard: {error}");
        }
    };
    match control::serve(engine_proxy, raise).await {
        Ok(control) => {
            // Open until the runtime ends.
            std::future::pending::<()>().await;
            drop(control);
        }
        Err(fault) => warn!("links and the command line do not reach this program: {fault}"),
    }
}

/// The system asks the program to end: the engine ends in good order.
async fn quit_on_signal(inputs: mpsc::Sender<Input>) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    // If nobody hears it, the program is quitting already.
    let _ = inputs.send(Input::Tray(tray::TrayAction::Quit)).await;
}

fn data_dir(arguments: &Arguments) -> Result<PathBuf, String> {
    let chosen = match &arguments.data_dir {
        Some(chosen) => chosen.clone(),
        None => {
            let project = directories::ProjectDirs::from("", "", "postern");
            project.ok_or("Postern found no home directory.")?.data_dir().to_owned()
        }
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.create(&chosen).and_then(|()| chosen.canonicalize());
    made.map_err(|error| format!("{} cannot be used ({error}).", chosen.display()))
}
