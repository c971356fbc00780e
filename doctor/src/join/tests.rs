mod faulty;
mod fixture;
mod healthy;
mod unread;
