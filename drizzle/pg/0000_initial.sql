CREATE TABLE "otp_challenges" (
	"id" text PRIMARY KEY NOT NULL,
	"email_hash" text NOT NULL,
	"code_mac" text NOT NULL,
	"code_length" integer NOT NULL,
	"expires_at" bigint NOT NULL,
	"previous_mac" text,
	"previous_length" integer,
	"previous_expires_at" bigint,
	"attempts" integer DEFAULT 0 NOT NULL,
	"consumed_at" bigint,
	"device_key" text
);
--> statement-breakpoint
CREATE TABLE "otp_counters" (
	"key" text PRIMARY KEY NOT NULL,
	"last_at" bigint NOT NULL,
	"short_from" bigint NOT NULL,
	"short_count" integer NOT NULL,
	"long_from" bigint NOT NULL,
	"long_count" integer NOT NULL,
	"consecutive_failures" integer DEFAULT 0 NOT NULL,
	"expires_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "otp_sessions" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"seq" integer DEFAULT 0 NOT NULL,
	"rotated_at" bigint,
	"created_at" bigint NOT NULL,
	"idle_expires_at" bigint NOT NULL,
	"expires_at" bigint NOT NULL,
	"revoked_at" bigint
);
--> statement-breakpoint
CREATE TABLE "otp_users" (
	"id" text PRIMARY KEY NOT NULL,
	"email" text NOT NULL,
	"is_verified" boolean DEFAULT false NOT NULL,
	CONSTRAINT "otp_users_email_unique" UNIQUE("email")
);
--> statement-breakpoint
CREATE INDEX "otp_challenges_email_hash" ON "otp_challenges" USING btree ("email_hash");--> statement-breakpoint
CREATE INDEX "otp_challenges_expires_at" ON "otp_challenges" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "otp_counters_expires_at" ON "otp_counters" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "otp_sessions_user_id" ON "otp_sessions" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "otp_sessions_idle_expires_at" ON "otp_sessions" USING btree ("idle_expires_at");