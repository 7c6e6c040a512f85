//! State of the window: whether it exists and is visible, whether its page listens, and where it should navigate.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::input::WindowEvent;
use crate::desktop_integration::{DesktopIntegration, Event, Navigate, WindowSize};

/// Clicking the tray icon takes the focus from the popover, which hides it, before the click itself arrives. A click
/// within this time after hiding must not show it again; it is longer than both events take, shorter than a second click.
const TOGGLE_DEBOUNCE: Duration = Duration::from_millis(300);

/// The state of the one window.
#[derive(Debug, Default)]
pub(super) struct WindowState {
    visibility: Visibility,
    /// The size that the user gave it; nothing before the first time.
    size: Option<WindowSize>,
    focused: bool,
    /// Whether its page listens to events; earlier events are lost.
    page_ready: bool,
    /// Where to navigate once the page listens.
    pending_navigation: Option<Navigate>,
    pinned: bool,
    /// Whether a file dialog of ours is open; it takes the keyboard focus.
    modal_open: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Visibility {
    #[default]
    NotCreated,
    Visible,
    Hidden(Instant),
}

impl WindowState {
    /// A window that does not exist yet, and is created in this size.
    pub(super) fn with_size(size: Option<WindowSize>) -> Self {
        Self { size, ..Self::default() }
    }

    pub(super) fn size(&self) -> Option<WindowSize> {
        self.size
    }

    pub(super) fn is_focused(&self) -> bool {
        self.visibility == Visibility::Visible && self.focused
    }

    pub(super) fn is_visible(&self) -> bool {
        self.visibility == Visibility::Visible
    }

    /// Shows the window and navigates to `target`, if there is one.
    pub(super) fn show(&mut self, desktop: &mut impl DesktopIntegration, target: Option<Navigate>) {
        if self.visibility == Visibility::NotCreated {
            self.page_ready = false;
        }
        self.visibility = Visibility::Visible;
        desktop.show_window(self.size);
        if let Some(target) = target {
            self.navigate(desktop, target);
        }
    }

    /// Handles a click on the tray icon: hides the window if it is focused, otherwise shows it and navigates to `target`, if there
    /// is one.
    pub(super) fn toggle(&mut self, desktop: &mut impl DesktopIntegration, target: Option<Navigate>) {
        match self.visibility {
            Visibility::Visible if self.focused => self.hide(desktop),
            Visibility::Hidden(since) if since.elapsed() < TOGGLE_DEBOUNCE && cfg!(not(target_os = "linux")) => {}
            _ => self.show(desktop, target),
        }
    }

    pub(super) fn hide(&mut self, desktop: &mut impl DesktopIntegration) {
        if self.visibility == Visibility::Visible {
            self.visibility = Visibility::Hidden(Instant::now());
            self.focused = false;
            desktop.hide_window();
        }
    }

    pub(super) fn pin(&mut self, desktop: &mut impl DesktopIntegration, on: bool) {
        self.pinned = on;
        desktop.pin_window(on);
    }

    pub(super) fn set_modal_open(&mut self, open: bool) {
        self.modal_open = open;
    }

    pub(super) fn on_event(&mut self, desktop: &mut impl DesktopIntegration, event: WindowEvent) {
        match event {
            WindowEvent::Focused(focused) => {
                self.focused = focused;
                // Outside Linux it is a popover, which closes when it loses the focus.
                if !focused && !self.pinned && !self.modal_open && cfg!(not(target_os = "linux")) {
                    self.hide(desktop);
                }
            }
            WindowEvent::Resized(size) => self.size = Some(size),
            WindowEvent::CloseRequested => self.hide(desktop),
            WindowEvent::Destroyed => *self = Self::with_size(self.size),
        }
    }

    /// The page has requested the initial state: from now on it receives events.
    pub(super) fn page_ready(&mut self, desktop: &mut impl DesktopIntegration) {
        self.page_ready = true;
        if let Some(target) = self.pending_navigation.take() {
            desktop.emit(&Event::Navigate(target));
        }
    }

    pub(super) fn navigate(&mut self, desktop: &mut impl DesktopIntegration, target: Navigate) {
        match self.page_ready {
            true => desktop.emit(&Event::Navigate(target)),
            false => self.pending_navigation = Some(target),
        }
    }

    /// Resolves when the window has been hidden for `lifetime`; otherwise pending.
    pub(super) async fn expired(&self, lifetime: Duration) {
        match self.visibility {
            Visibility::Hidden(since) => sleep_until(since + lifetime).await,
            Visibility::NotCreated | Visibility::Visible => std::future::pending().await,
        }
    }

    pub(super) fn destroy(&mut self, desktop: &mut impl DesktopIntegration) {
        *self = Self::with_size(self.size);
        desktop.destroy_window();
    }
}
