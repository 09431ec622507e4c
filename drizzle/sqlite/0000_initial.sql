CREATE TABLE `otp_challenges` (
	`id` text PRIMARY KEY NOT NULL,
	`email_hash` text NOT NULL,
	`code_mac` text NOT NULL,
	`code_length` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`previous_mac` text,
	`previous_length` integer,
	`previous_expires_at` integer,
	`attempts` integer DEFAULT 0 NOT NULL,
	`consumed_at` integer,
	`device_key` text
);
--> statement-breakpoint
CREATE INDEX `otp_challenges_email_hash` ON `otp_challenges` (`email_hash`);--> statement-breakpoint
CREATE INDEX `otp_challenges_expires_at` ON `otp_challenges` (`expires_at`);--> statement-breakpoint
CREATE TABLE `otp_counters` (
	`key` text PRIMARY KEY NOT NULL,
	`last_at` integer NOT NULL,
	`short_from` integer NOT NULL,
	`short_count` integer NOT NULL,
	`long_from` integer NOT NULL,
	`long_count` integer NOT NULL,
	`consecutive_failures` integer DEFAULT 0 NOT NULL,
	`expires_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `otp_counters_expires_at` ON `otp_counters` (`expires_at`);--> statement-breakpoint
CREATE TABLE `otp_sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`seq` integer DEFAULT 0 NOT NULL,
	`rotated_at` integer,
	`created_at` integer NOT NULL,
	`idle_expires_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`revoked_at` integer
);
--> statement-breakpoint
CREATE INDEX `otp_sessions_user_id` ON `otp_sessions` (`user_id`);--> statement-breakpoint
CREATE INDEX `otp_sessions_idle_expires_at` ON `otp_sessions` (`idle_expires_at`);--> statement-breakpoint
CREATE TABLE `otp_users` (
	`id` text PRIMARY KEY NOT NULL,
	`email` text NOT NULL,
	`is_verified` integer DEFAULT false NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `otp_users_email_unique` ON `otp_users` (`email`);