CREATE TABLE `otp_challenges` (
	`id` varbinary(255) NOT NULL,
	`email_hash` varbinary(255) NOT NULL,
	`previous_mac` varbinary(255),
	`previous_length` int,
	`previous_expires_at` bigint,
	`code_mac` varbinary(255) NOT NULL,
	`code_length` int NOT NULL,
	`expires_at` bigint NOT NULL,
	`attempts` int NOT NULL DEFAULT 0,
	`consumed_at` bigint,
	`device_key` varbinary(255),
	CONSTRAINT `otp_challenges_id` PRIMARY KEY(`id`)
);
--> statement-breakpoint
CREATE TABLE `otp_counters` (
	`key` varbinary(255) NOT NULL,
	`consecutive_failures` int NOT NULL DEFAULT 0,
	`short_count` int NOT NULL,
	`short_from` bigint NOT NULL,
	`long_count` int NOT NULL,
	`long_from` bigint NOT NULL,
	`last_at` bigint NOT NULL,
	`expires_at` bigint NOT NULL,
	CONSTRAINT `otp_counters_key` PRIMARY KEY(`key`)
);
--> statement-breakpoint
CREATE TABLE `otp_sessions` (
	`id` varbinary(255) NOT NULL,
	`user_id` varbinary(255) NOT NULL,
	`seq` int NOT NULL DEFAULT 0,
	`rotated_at` bigint,
	`created_at` bigint NOT NULL,
	`idle_expires_at` bigint NOT NULL,
	`expires_at` bigint NOT NULL,
	`revoked_at` bigint,
	CONSTRAINT `otp_sessions_id` PRIMARY KEY(`id`)
);
--> statement-breakpoint
CREATE TABLE `otp_users` (
	`id` varchar(36) NOT NULL,
	`email` varchar(254) character set utf8mb4 collate utf8mb4_bin NOT NULL,
	`is_verified` boolean NOT NULL DEFAULT false,
	CONSTRAINT `otp_users_id` PRIMARY KEY(`id`),
	CONSTRAINT `otp_users_email_unique` UNIQUE(`email`)
);
--> statement-breakpoint
CREATE INDEX `otp_challenges_email_hash` ON `otp_challenges` (`email_hash`);--> statement-breakpoint
CREATE INDEX `otp_challenges_expires_at` ON `otp_challenges` (`expires_at`);--> statement-breakpoint
CREATE INDEX `otp_counters_expires_at` ON `otp_counters` (`expires_at`);--> statement-breakpoint
CREATE INDEX `otp_sessions_user_id` ON `otp_sessions` (`user_id`);--> statement-breakpoint
CREATE INDEX `otp_sessions_idle_expires_at` ON `otp_sessions` (`idle_expires_at`);