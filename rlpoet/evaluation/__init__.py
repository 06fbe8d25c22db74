"""What poems are worth: form, variety, sense, rewards, people's poems beside them, and a second judge."""
