import { type GuestTask, writeInitramfs } from './initramfs.ts';

// Usage: node buildInitramfs.ts PATH TASK, the task as JSON.

writeInitramfs(process.argv[2]!, JSON.parse(process.argv[3]!) as GuestTask);
